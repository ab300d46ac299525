/** BuildKit's API: connections that go on as HTTP/2, with us as server (`/grpc`) or as client (`/session`). */
import type { Socket } from "node:net";
import { InvalidParameterError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { ApiRequest } from "../api-request.ts";
import type { Backends } from "../backends.ts";
import type { BuildKitServer } from "../buildkit/buildkit-server.ts";
import type { Reply } from "../http/reply.ts";
import type { Route } from "../router.ts";

const PROTOCOL = "h2c";
const SESSION_HEADER = "x-docker-expose-session-uuid";

export function buildKitRoutes({ buildKit }: Pick<Backends, "buildKit">, logger: Logger): Route[] {
	let server: Promise<BuildKitServer> | undefined;
	// The protocol's modules are loaded by the first client that speaks it.
	const load = async () => {
		const { BuildKitServer } = await import("../buildkit/buildkit-server.ts");
		return new BuildKitServer(await buildKit(), logger.child({ part: "buildkit" }));
	};
	const upgraded = async (
		request: ApiRequest,
		take: (server: BuildKitServer, socket: Socket) => void,
	): Promise<Reply> => {
		checkUpgrade(request);
		server ??= load();
		const loaded = await server;
		return { kind: "upgrade", protocol: PROTOCOL, take: (socket) => take(loaded, socket) };
	};
	return [
		{ method: "POST", path: "/grpc", handle: (request) => upgraded(request, (loaded, socket) => loaded.serve(socket)) },
		{
			method: "POST",
			path: "/session",
			handle: (request) => {
				if ((request.headers.get(SESSION_HEADER) ?? "") === "")
					throw new InvalidParameterError("the session has no ID");
				return upgraded(request, (loaded, socket) => loaded.attach(request.headers, socket));
			},
		},
	];
}

/** @throws InvalidParameterError for a request that does not ask for this protocol */
function checkUpgrade({ headers }: ApiRequest): void {
	const isUpgrade = /\bupgrade\b/i.test(headers.get("connection") ?? "");
	if (!isUpgrade || headers.get("upgrade")?.toLowerCase() !== PROTOCOL)
		throw new InvalidParameterError("no upgrade: this endpoint speaks HTTP/2 on an upgraded connection (h2c)");
}
