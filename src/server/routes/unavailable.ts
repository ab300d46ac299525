/** Documented endpoints whose nouns are not there yet: an empty list where that is the truth, else 501. */
import { NotFoundError, NotImplementedError } from "../../base/errors.ts";
import { parameter } from "../api-request.ts";
import { json } from "../http/reply.ts";
import type { Method, Route } from "../router.ts";

const PLUGINS = "plugins are not available yet";
const CHECKPOINTS = "checkpoints are not available yet";

const NOT_YET: readonly (readonly [Method, string, string])[] = [
	["GET", "/plugins/privileges", PLUGINS],
	["POST", "/plugins/pull", PLUGINS],
	["POST", "/plugins/create", PLUGINS],
	["GET", "/containers/{name...}/checkpoints", CHECKPOINTS],
	["POST", "/containers/{name...}/checkpoints", CHECKPOINTS],
	["DELETE", "/containers/{name...}/checkpoints/{checkpoint}", CHECKPOINTS],
];

const ONE_PLUGIN: readonly (readonly [Method, string])[] = [
	["GET", "/plugins/{name...}/json"],
	["POST", "/plugins/{name...}/enable"],
	["POST", "/plugins/{name...}/disable"],
	["POST", "/plugins/{name...}/push"],
	["POST", "/plugins/{name...}/upgrade"],
	["POST", "/plugins/{name...}/set"],
	["DELETE", "/plugins/{name...}"],
];

export function unavailableRoutes(): Route[] {
	return [
		{ method: "GET", path: "/plugins", handle: () => json([]) },
		...NOT_YET.map(([method, path, message]) => ({
			method,
			path,
			handle: () => {
				throw new NotImplementedError(message);
			},
		})),
		...ONE_PLUGIN.map(([method, path]) => ({
			method,
			path,
			handle: (request: Parameters<Route["handle"]>[0]) => {
				throw new NotFoundError(`plugin "${parameter(request, "name")}" not found`);
			},
		})),
	];
}
