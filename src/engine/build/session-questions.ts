import { InvalidParameterError } from "../../base/errors.ts";
import type { BuildConnection, BuildSession, OutputSink } from "../../core/build/request.ts";
import {
	type CredentialsAnswer,
	type DaemonCall,
	MAX_SECRET_BYTES,
	type SecretAnswer,
} from "../../core/build/session/calls.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import type { RegistryCredentials } from "../../core/remotes/remote.ts";
import { collect } from "./context-sync.ts";

/** Asks the client of a build what only the client has. */
export class SessionQuestions implements BuildSession {
	/** One question for each registry, however many steps ask. */
	readonly #credentials = new Map<string, Promise<RegistryCredentials | undefined>>();

	constructor(private readonly ask: (call: DaemonCall) => Promise<SessionStream>) {}

	async secret(id: string): Promise<Uint8Array | undefined> {
		const stream = await this.#question({ method: "secret", id });
		const { exists } = (await stream.readJson()) as SecretAnswer;
		if (!exists) return undefined;
		const bytes = await collect(stream, MAX_SECRET_BYTES);
		if (bytes === undefined) throw new InvalidParameterError(`secret ${id} is larger than ${MAX_SECRET_BYTES} bytes`);
		return bytes;
	}

	async hasSsh(id: string): Promise<boolean> {
		return (await (await this.#question({ method: "ssh.has", id })).readJson()) === true;
	}

	async openSsh(id: string): Promise<BuildConnection> {
		const stream = await this.ask({ method: "ssh.open", id });
		return {
			readable: stream.data(),
			write: (data) => stream.write(data),
			close: () => stream.reset(),
		};
	}

	credentials(host: string): Promise<RegistryCredentials | undefined> {
		let answer = this.#credentials.get(host);
		if (answer === undefined) {
			answer = this.#askCredentials(host);
			this.#credentials.set(host, answer);
		}
		return answer;
	}

	async output(index: number): Promise<OutputSink> {
		const stream = await this.ask({ method: "output", index });
		return {
			write: (data) => stream.write(data),
			async close() {
				await stream.end();
				// The client ends its side when it has everything, or says what went wrong.
				await stream.read();
			},
		};
	}

	async #askCredentials(host: string): Promise<RegistryCredentials | undefined> {
		const stream = await this.#question({ method: "credentials", host });
		return ((await stream.readJson()) as CredentialsAnswer) ?? undefined;
	}

	async #question(call: DaemonCall): Promise<SessionStream> {
		const stream = await this.ask(call);
		await stream.end();
		return stream;
	}
}
