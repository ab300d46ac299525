import { InvalidParameterError } from "../../base/errors.ts";

/** The API version a request speaks, e.g. 1.51; views leave out or add fields by it. */
export interface ApiVersion {
	readonly major: number;
	readonly minor: number;
}

export const MAX_API_VERSION: ApiVersion = { major: 1, minor: 56 };
export const MIN_API_VERSION: ApiVersion = { major: 1, minor: 24 };

/** @throws InvalidParameterError */
export function parseApiVersion(text: string): ApiVersion {
	const match = /^(\d+)\.(\d+)$/.exec(text);
	if (match === null) throw new InvalidParameterError(`invalid API version: ${text}`);
	return { major: Number(match[1]), minor: Number(match[2]) };
}

export function formatApiVersion(version: ApiVersion): string {
	return `${version.major}.${version.minor}`;
}

/** Whether `version` is `minor` of major version 1 or newer. */
export function atLeast(version: ApiVersion, minor: number): boolean {
	return version.major > 1 || (version.major === 1 && version.minor >= minor);
}
