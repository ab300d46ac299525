import { NotImplementedError, UnavailableError } from "../../base/errors.ts";
import type { Handler, Method, Route } from "../router.ts";

export const NOT_A_MANAGER =
	'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

const MANAGER_ONLY: readonly (readonly [Method, string])[] = [
	["GET", "/swarm"],
	["POST", "/swarm/update"],
	["GET", "/swarm/unlockkey"],
	["POST", "/swarm/unlock"],
	["GET", "/services"],
	["POST", "/services/create"],
	["GET", "/services/{id}"],
	["POST", "/services/{id}/update"],
	["DELETE", "/services/{id}"],
	["GET", "/services/{id}/logs"],
	["GET", "/nodes"],
	["GET", "/nodes/{id}"],
	["POST", "/nodes/{id}/update"],
	["DELETE", "/nodes/{id}"],
	["GET", "/tasks"],
	["GET", "/tasks/{id}"],
	["GET", "/tasks/{id}/logs"],
	["GET", "/secrets"],
	["POST", "/secrets/create"],
	["GET", "/secrets/{id}"],
	["POST", "/secrets/{id}/update"],
	["DELETE", "/secrets/{id}"],
	["GET", "/configs"],
	["POST", "/configs/create"],
	["GET", "/configs/{id}"],
	["POST", "/configs/{id}/update"],
	["DELETE", "/configs/{id}"],
];

/** A node that is in no swarm. */
export function swarmRoutes(): Route[] {
	const refuse: Handler = () => {
		throw new UnavailableError(NOT_A_MANAGER);
	};
	const notYet: Handler = () => {
		throw new NotImplementedError("swarm mode is not available yet");
	};
	const leave: Handler = () => {
		throw new UnavailableError("This node is not part of a swarm");
	};
	return [
		...MANAGER_ONLY.map(([method, path]) => ({ method, path, handle: refuse })),
		{ method: "POST", path: "/swarm/init", handle: notYet },
		{ method: "POST", path: "/swarm/join", handle: notYet },
		{ method: "POST", path: "/swarm/leave", handle: leave },
	];
}
