import { InvalidParameterError } from "../../base/errors.ts";
import { selectionFilter } from "../../core/build/context-filter.ts";
import {
	type CredentialsAnswer,
	type DaemonCall,
	MAX_SECRET_BYTES,
	type SecretAnswer,
} from "../../core/build/session/calls.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import type { CliContext } from "../context.ts";
import { answerFile, answerList, type OfferedDirectory } from "./context-answers.ts";
import { followLinks } from "./context-links.ts";
import { receiveOutput } from "./output-files.ts";
import type { ParsedOutput } from "./output-options.ts";
import type { SecretSource } from "./secret-options.ts";
import type { SshAgents } from "./ssh-agents.ts";

/** What the client offers to the daemon for one build; nothing else can be had. */
export interface Offer {
	readonly directories: ReadonlyMap<string, OfferedDirectory>;
	/** By the name of its context; each can be read once. */
	readonly archives: ReadonlyMap<string, AsyncIterable<Uint8Array>>;
	readonly secrets: readonly SecretSource[];
	readonly ssh: SshAgents | undefined;
	readonly outputs: readonly (ParsedOutput | undefined)[];
}

/** Answers the daemon's questions during a build. */
export class ClientAnswers {
	constructor(
		private readonly context: CliContext,
		private readonly offer: Offer,
	) {}

	/** @throws Error that the daemon gets to see */
	async answer(stream: SessionStream): Promise<void> {
		const call = stream.call as DaemonCall;
		switch (call.method) {
			case "context.list": {
				const directory = this.#directory(call.context);
				const include = followLinks(directory.root, call.include);
				return await answerList(stream, call, directory, selectionFilter({ include, exclude: call.exclude }));
			}
			case "context.file":
				return await answerFile(stream, call, this.#directory(call.context));
			case "context.tar":
				return await this.#archive(stream, call.context);
			case "secret":
				return await this.#secret(stream, call.id);
			case "ssh.has":
				return await reply(stream, this.offer.ssh?.has(call.id) === true);
			case "ssh.open":
				return await this.#ssh(stream, call.id);
			case "credentials":
				return await reply(stream, await this.#credentials(call.host));
			case "output":
				return await receiveOutput(stream, this.offer.outputs[call.index], this.context.stdout);
			default:
				throw new InvalidParameterError("the daemon asks for something that this client does not know: it is newer");
		}
	}

	#directory(name: string): OfferedDirectory {
		const directory = this.offer.directories.get(name);
		if (directory === undefined) throw new InvalidParameterError(`there is no build context ${JSON.stringify(name)}`);
		return directory;
	}

	async #archive(stream: SessionStream, name: string): Promise<void> {
		const archive = this.offer.archives.get(name);
		if (archive === undefined) throw new InvalidParameterError(`there is no build context ${JSON.stringify(name)}`);
		for await (const bytes of archive) await stream.write(bytes);
		await stream.end();
	}

	async #secret(stream: SessionStream, id: string): Promise<void> {
		const source = this.offer.secrets.find((secret) => secret.id === id);
		const bytes = source === undefined ? undefined : await readSecret(source, this.context.environment);
		await stream.send({ exists: bytes !== undefined } satisfies SecretAnswer);
		if (bytes !== undefined) await stream.write(bytes);
		await stream.end();
	}

	async #ssh(stream: SessionStream, id: string): Promise<void> {
		const channel = await this.offer.ssh?.connect(id);
		if (channel === undefined) throw new InvalidParameterError(`no ssh agent ${JSON.stringify(id)} is forwarded`);
		stream.signal.addEventListener("abort", () => channel.destroy(), { once: true });
		try {
			const sending = (async () => {
				for await (const bytes of stream.data()) await channel.write(bytes);
				await channel.closeWrite();
			})();
			for (;;) {
				const bytes = await channel.read();
				if (bytes === undefined) break;
				await stream.write(bytes);
			}
			await stream.end();
			await sending;
		} finally {
			channel.destroy();
		}
	}

	async #credentials(host: string): Promise<CredentialsAnswer> {
		const [{ Credentials }, { serverKey }] = await Promise.all([
			import("../registry/credentials.ts"),
			import("../registry/server-address.ts"),
		]);
		const credentials = new Credentials(await this.context.config(), this.context.globals.configFolder);
		const auth = await credentials.find(serverKey(host));
		if (auth === undefined) return null;
		const { username, password, identitytoken, registrytoken } = auth;
		return {
			...(username ? { username } : {}),
			...(password ? { password } : {}),
			...(identitytoken ? { identityToken: identitytoken } : {}),
			...(registrytoken ? { registryToken: registrytoken } : {}),
		};
	}
}

async function reply(stream: SessionStream, value: unknown): Promise<void> {
	await stream.send(value);
	await stream.end();
}

/** @throws InvalidParameterError for a file that can't be read, or is too large */
async function readSecret(
	{ id, kind, name }: SecretSource,
	environment: Readonly<Record<string, string | undefined>>,
): Promise<Uint8Array | undefined> {
	if (kind === "env") {
		const value = environment[name];
		return value === undefined ? undefined : Buffer.from(value);
	}
	try {
		const bytes = await Bun.file(name).bytes();
		if (bytes.length <= MAX_SECRET_BYTES) return bytes;
	} catch (cause) {
		throw new InvalidParameterError(`failed to read secret ${id} from ${name}`, { cause });
	}
	throw new InvalidParameterError(`secret ${id} is larger than ${MAX_SECRET_BYTES} bytes`);
}
