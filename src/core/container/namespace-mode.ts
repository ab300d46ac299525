import { InvalidParameterError } from "../../base/errors.ts";

/** `host`, `container:<id>` and the like of the `…Mode` fields. */
export function containerOfMode(mode: string | undefined): string | undefined {
	return mode?.startsWith("container:") === true ? mode.slice("container:".length) : undefined;
}

/** @throws InvalidParameterError */
export function checkIpcMode(mode: string): void {
	const known = ["", "none", "private", "shareable", "host"];
	if (!known.includes(mode) && !containerOfMode(mode)) throw new InvalidParameterError(`invalid IPC mode: ${mode}`);
}

/** @throws InvalidParameterError */
export function checkPidMode(mode: string): void {
	if (mode !== "" && mode !== "host" && !containerOfMode(mode))
		throw new InvalidParameterError(`invalid PID mode: ${mode}`);
}

/** @throws InvalidParameterError */
export function checkUtsMode(mode: string): void {
	if (mode !== "" && mode !== "host") throw new InvalidParameterError(`invalid UTS mode: ${mode}`);
}

/** User namespaces are not remapped, so the only mode there is is the host's. @throws InvalidParameterError */
export function checkUsernsMode(mode: string): void {
	if (mode !== "" && mode !== "host") throw new InvalidParameterError(`invalid USER mode: ${mode}`);
}

/** @throws InvalidParameterError */
export function checkCgroupnsMode(mode: string): void {
	if (mode !== "" && mode !== "host" && mode !== "private")
		throw new InvalidParameterError(`invalid cgroup namespace mode: ${mode}`);
}

/** @throws InvalidParameterError */
export function checkNetworkMode(mode: string): void {
	if (containerOfMode(mode) === "")
		throw new InvalidParameterError("invalid network mode: invalid container format container:<name|id>");
}
