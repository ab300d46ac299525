import type { AttachSession } from "../../core/container/attach-session.ts";
import type { Backends, BuildSessionBackend } from "../backends.ts";
import { ByteDuplex } from "../http/byte-duplex.ts";
import type { Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

const CONTENT_TYPE = "application/vnd.docker.raw-stream";

/** Our own client's builds: a connection that becomes a session (`core/build/session`), see `docs/design/builder.md`. */
export function buildSessionRoutes({ buildSessions }: Pick<Backends, "buildSessions">): Route[] {
	return [{ method: "POST", path: "/x-gantry/build", handle: () => openSession(buildSessions) }];
}

function openSession(sessions: BuildSessionBackend): Reply {
	const stream = new ByteDuplex();
	const serving = sessions.serve({
		read: () => stream.receive(),
		write: (bytes) => stream.deliver(bytes),
		destroy: () => stream.finish(),
	});
	// The session has told its client what went wrong; a client that breaks the rules is cut off.
	serving.then(
		() => stream.finish(),
		() => stream.destroy(),
	);
	const session: AttachSession = { terminal: false, stream };
	return { kind: "hijack", session: Promise.resolve(session), contentType: CONTENT_TYPE, detachKeys: [] };
}
