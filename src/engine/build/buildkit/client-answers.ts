import {
	CHECK_AGENT_REQUEST,
	CREDENTIALS_REQUEST,
	CREDENTIALS_RESPONSE,
	SECRET_REQUEST,
	SECRET_RESPONSE,
	SESSION_METHODS,
} from "../../../api/buildkit/session.ts";
import { BYTES_MESSAGE } from "../../../api/buildkit/values.ts";
import { errorKind, InvalidParameterError } from "../../../base/errors.ts";
import { ask, type SessionCall, type SessionCaller } from "../../../core/build/buildkit/session-caller.ts";
import type { BuildConnection, BuildSession, OutputSink } from "../../../core/build/request.ts";
import { MAX_SECRET_BYTES } from "../../../core/build/session/calls.ts";
import type { TreeWalk } from "../../../core/build/tree-walk.ts";
import type { NamedTree } from "../../../core/diff/archiver.ts";
import type { RegistryCredentials } from "../../../core/remotes/remote.ts";
import { ClientContentStore } from "./content-store.ts";
import { type LayoutDescriptor, LayoutSink } from "./layout-sink.ts";
import { TreeSender } from "./tree-sender.ts";

/** The host that Docker Hub's credentials are asked for by. */
const HUB = "registry-1.docker.io";
/** Of an archive, in one message. */
const PIECE_BYTES = 32 * 1024;

export interface LayoutTarget {
	/** Of the store in the session. */
	readonly name: string;
	readonly onDescriptor: (descriptor: LayoutDescriptor) => void;
}

/** Asks a BuildKit client what only it has. */
export class ClientAnswers implements BuildSession {
	/** One question for each registry, however many steps ask. */
	readonly #credentials = new Map<string, Promise<RegistryCredentials | undefined>>();

	/** @param stores of outputs that are OCI layouts of the client's, by their index: who gets one, and hears what is in it at the end */
	constructor(
		private readonly session: SessionCaller,
		private readonly walk: TreeWalk,
		private readonly stores: ReadonlyMap<number, LayoutTarget> = new Map(),
	) {}

	async secret(id: string): Promise<Uint8Array | undefined> {
		if (!this.session.offers(SESSION_METHODS.secret)) return undefined;
		try {
			const answer = await ask(this.session, SESSION_METHODS.secret, SECRET_REQUEST.encode({ id }));
			const { data } = SECRET_RESPONSE.decode(answer);
			if (data.length > MAX_SECRET_BYTES)
				throw new InvalidParameterError(`secret ${id} is larger than ${MAX_SECRET_BYTES} bytes`);
			return data;
		} catch (error) {
			return undefinedWhenMissing(error);
		}
	}

	async hasSsh(id: string): Promise<boolean> {
		if (!this.session.offers(SESSION_METHODS.checkAgent)) return false;
		try {
			await ask(this.session, SESSION_METHODS.checkAgent, CHECK_AGENT_REQUEST.encode({ id }));
			return true;
		} catch (error) {
			if (errorKind(error) === "cancelled") throw error;
			// The client's only way to say no.
			return false;
		}
	}

	async openSsh(id: string): Promise<BuildConnection> {
		const call = this.session.call(SESSION_METHODS.forwardAgent, { "buildkit.ssh.id": id });
		return {
			readable: bytesOf(call),
			write: (data) => call.send(BYTES_MESSAGE.encode({ data })),
			close: () => call.cancel(),
		};
	}

	credentials(host: string): Promise<RegistryCredentials | undefined> {
		let answer = this.#credentials.get(host);
		if (answer === undefined) {
			answer = this.#askCredentials(host === "docker.io" ? HUB : host);
			this.#credentials.set(host, answer);
		}
		return answer;
	}

	async outputTrees(
		index: number,
		trees: readonly NamedTree[],
		onProgress: (sentBytes: number) => void,
	): Promise<void> {
		await new TreeSender(this.#outputCall(index), this.walk, trees).send(onProgress);
	}

	async output(index: number): Promise<OutputSink> {
		const store = this.stores.get(index);
		if (store !== undefined)
			return new LayoutSink(new ClientContentStore(this.session, store.name), store.onDescriptor);
		const call = this.#outputCall(index);
		return {
			async write(data) {
				for (let at = 0; at < data.length; at += PIECE_BYTES)
					await call.send(BYTES_MESSAGE.encode({ data: data.subarray(at, at + PIECE_BYTES) }));
			},
			async close() {
				call.end();
				// The client ends its side when it has everything, or says what went wrong.
				for await (const _ of call.messages);
			},
		};
	}

	#outputCall(index: number): SessionCall {
		return this.session.call(SESSION_METHODS.fileSend, { "buildkit-attachable-exporter-id": String(index) });
	}

	async #askCredentials(host: string): Promise<RegistryCredentials | undefined> {
		if (!this.session.offers(SESSION_METHODS.credentials)) return undefined;
		const answer = await ask(this.session, SESSION_METHODS.credentials, CREDENTIALS_REQUEST.encode({ host }));
		const { username, secret } = CREDENTIALS_RESPONSE.decode(answer);
		if (username === "" && secret === "") return undefined;
		return username === "" ? { identityToken: secret } : { username, password: secret };
	}
}

/** Bytes of a call, as an archive or a connection has them. */
export async function* bytesOf({ messages }: SessionCall): AsyncGenerator<Uint8Array> {
	for await (const message of messages) yield BYTES_MESSAGE.decode(message).data;
}

function undefinedWhenMissing(error: unknown): undefined {
	if (errorKind(error) === "not-found") return undefined;
	throw error;
}
