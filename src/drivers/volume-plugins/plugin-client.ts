import { type Clock, delay } from "../../base/clock.ts";
import { errorMessage, SystemError, UnavailableError } from "../../base/errors.ts";
import { PluginUnreachableError } from "../../core/volume/volume-plugin.ts";
import type { PluginAddress } from "./plugin-directories.ts";

const MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";
/** A list of a hundred thousand volumes fits. */
const ANSWER_LIMIT_BYTES = 32 * 1024 * 1024;
/** Between attempts to reach one that does not listen. */
const PAUSES_MS = [100, 200, 400, 800, 1600];

export interface CallOptions {
	readonly timeoutMs: number;
	/** Tries again while nobody listens: it may just be starting anew. */
	readonly patient?: boolean;
}

/** Calls of one plugin: JSON over HTTP, each on a connection of its own. */
export class PluginClient {
	constructor(
		readonly address: PluginAddress,
		private readonly clock: Clock,
	) {}

	/**
	 * @param method `VolumeDriver.Create`
	 * @returns what it answers, without its error
	 * @throws SystemError with the error it answers, PluginUnreachableError, UnavailableError when it answers late or in no JSON
	 */
	async call(method: string, body: unknown, options: CallOptions): Promise<Readonly<Record<string, unknown>>> {
		const text = await this.#exchange(method, body, options);
		const { status } = text;
		const value = parseObject(text.body);
		const failure = value?.["Err"];
		if (status !== 200)
			throw new SystemError(`${method}: ${failure === undefined ? text.body.trim() : String(failure)}`);
		if (value === undefined) throw new UnavailableError(`${method}: the plugin's answer is no JSON object`);
		if (typeof failure === "string" && failure !== "") throw new SystemError(failure);
		return value;
	}

	async #exchange(method: string, body: unknown, options: CallOptions): Promise<{ status: number; body: string }> {
		for (let attempt = 0; ; attempt++) {
			try {
				return await this.#exchangeOnce(method, body, options.timeoutMs);
			} catch (cause) {
				const pauseMs = options.patient === true && isUnreachable(cause) ? PAUSES_MS[attempt] : undefined;
				if (pauseMs === undefined) throw callError(method, cause);
				await delay(this.clock, pauseMs);
			}
		}
	}

	async #exchangeOnce(method: string, body: unknown, timeoutMs: number): Promise<{ status: number; body: string }> {
		const { url, socketPath, tls } = this.address;
		const response = await fetch(`${url}/${method}`, {
			method: "POST",
			headers: { Accept: MEDIA_TYPE, "Content-Type": "application/json" },
			body: JSON.stringify(body),
			signal: AbortSignal.timeout(timeoutMs),
			redirect: "manual",
			keepalive: false,
			...(socketPath === undefined ? {} : { unix: socketPath }),
			...(tls === undefined ? {} : { tls }),
		});
		return { status: response.status, body: await textOf(response) };
	}
}

async function textOf(response: Response): Promise<string> {
	const chunks: Uint8Array[] = [];
	let length = 0;
	for await (const chunk of response.body ?? []) {
		length += chunk.length;
		if (length > ANSWER_LIMIT_BYTES) throw new UnavailableError("the plugin's answer does not end");
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString();
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
	} catch {
		return undefined; // an error in plain words, from an old plugin
	}
}

/** Nobody has heard of the request. */
function isUnreachable(cause: unknown): boolean {
	const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
	return ["ConnectionRefused", "FailedToOpenSocket", "ECONNREFUSED", "ENOENT"].includes(code);
}

function callError(method: string, cause: unknown): UnavailableError {
	if (isUnreachable(cause)) return new PluginUnreachableError(`${method}: the plugin does not listen`, { cause });
	const isLate = cause instanceof Error && cause.name === "TimeoutError";
	const reason = isLate ? "the plugin did not answer in time" : errorMessage(cause);
	return new UnavailableError(`${method}: ${reason}`, { cause });
}
