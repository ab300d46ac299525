import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { newId } from "../../../base/ids.ts";
import { MessageQueue } from "../message-queue.ts";
import type { BuildKitBuilds } from "./buildkit-builds.ts";
import { Awaited } from "./client-sessions.ts";
import type { SolveCall } from "./solve-call.ts";

/** A build that is asked for by one request (`POST /build?version=2`), whose reply is its progress. */
export interface RequestBuild extends Omit<SolveCall, "ref" | "archive"> {
	/** Of the client; an upload names it. */
	readonly id: string;
	/** The context: in this request, in another one that names the build (`upload`), or elsewhere, as the options say. */
	readonly context: Readable | "upload" | undefined;
	/** Tells the image's ID, and nothing else. */
	readonly isQuiet: boolean;
}

export type RequestMessage =
	/** `SolveStatus`, encoded, in base64. */
	| { readonly id: "moby.buildkit.trace"; readonly aux: string }
	| { readonly id: "moby.image.id"; readonly aux: { readonly ID: string } }
	| { readonly stream: string };

/** Builds of clients that have a session, and no connection for calls. */
export class RequestBuilds {
	readonly #uploads = new Awaited<Readable>();

	constructor(private readonly builds: BuildKitBuilds) {}

	/** A context for the build of that ID, which is waiting for it or will be. Resolves when the build has taken it, or has ended. */
	async upload(id: string, archive: Readable): Promise<void> {
		this.#uploads.add(id, archive);
		try {
			await finished(archive, { writable: false });
		} catch {
			// The build tells what it could not read.
		} finally {
			this.#uploads.remove(id, archive);
		}
	}

	/** @throws SolveFailure after all its messages */
	async *build({ id, context, isQuiet, ...call }: RequestBuild, signal: AbortSignal): AsyncGenerator<RequestMessage> {
		const messages = new MessageQueue<RequestMessage>();
		const ref = newId().slice(0, 25);
		const work = async (cancelled: AbortSignal) => {
			const archive = context === "upload" ? await this.#uploads.find(id, "upload", cancelled) : context;
			const solved = this.builds.solve({ ...call, ref, archive }, cancelled);
			const tell = async (status: Uint8Array) => {
				if (isQuiet) return;
				messages.say({ id: "moby.buildkit.trace", aux: Buffer.from(status).toString("base64") });
				await messages.ready();
			};
			await Promise.allSettled([this.builds.watch(ref, tell, cancelled), solved]);
			archive?.destroy();
			const image = (await solved).get("containerimage.digest");
			if (image === undefined) return;
			messages.say(isQuiet ? { stream: `${image}\n` } : { id: "moby.image.id", aux: { ID: image } });
		};
		yield* messages.run(work, signal);
	}
}
