import { CancelledError } from "../../base/errors.ts";
import { openBuildSession } from "../../client/builds.ts";
import type { BuildCall, BuildFailure, BuildReply } from "../../core/build/session/build-call.ts";
import { SessionConnection } from "../../core/build/session/connection.ts";
import type { CliContext } from "../context.ts";
import { ExitError } from "../usage-error.ts";
import { ClientAnswers, type Offer } from "./client-answers.ts";
import type { ProgressView } from "./progress/progress-view.ts";

export type WireResult = Extract<BuildReply, { result: unknown }>["result"];

export type BuildOutcome = { readonly result: WireResult } | { readonly failure: BuildFailure };

/** How long a cancelled build may take to tell that it has stopped. */
const CANCEL_GRACE_MS = 10_000;
/** As a shell has it for SIGINT. */
const INTERRUPTED = 130;

/**
 * Runs one build in a session of its own. Ctrl-C cancels it and waits until the daemon has stopped its steps; a second one does not wait.
 * @throws ApiError, ConnectionError
 */
export async function runBuild(
	context: CliContext,
	call: BuildCall,
	{ offer, view }: { readonly offer: Offer; readonly view: ProgressView },
): Promise<BuildOutcome> {
	const channel = await openBuildSession(await context.client());
	const answers = new ClientAnswers(context, offer);
	const connection = new SessionConnection(channel, "client", (stream) => answers.answer(stream));
	const running = connection.run();
	// A broken connection is seen by the build's stream, which fails with it.
	running.catch(() => {});
	const stream = await connection.open(call);
	let signals = 0;
	const onSignal = () => {
		signals++;
		if (signals > 1) channel.destroy();
		// The daemon sees the end of our side, stops the steps, and tells when it has.
		else {
			stream.end().catch(() => {});
			setTimeout(() => channel.destroy(), CANCEL_GRACE_MS).unref();
		}
	};
	for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
	try {
		for (;;) {
			const reply = (await stream.readJson()) as BuildReply;
			if ("events" in reply) view.show(reply.events, Date.now());
			else if (signals > 0 && "failure" in reply) throw new ExitError(INTERRUPTED, "ERROR: failed to build: canceled");
			else return reply;
		}
	} catch (error) {
		if (signals > 0) throw new ExitError(INTERRUPTED, "ERROR: failed to build: canceled");
		if (error instanceof CancelledError)
			throw new ExitError(1, "ERROR: failed to build: the daemon has ended the connection; its log may say why");
		throw error;
	} finally {
		for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, onSignal);
		connection.close();
		await running.catch(() => {}); // told already
	}
}
