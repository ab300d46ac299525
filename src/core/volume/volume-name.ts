import { InvalidParameterError } from "../../base/errors.ts";

/** Of volumes that got their name from the daemon. */
export const ANONYMOUS_LABEL = "com.docker.volume.anonymous";

/** @param action that needs the name, for the message. @throws InvalidParameterError in the `local` driver's words */
export function checkVolumeName(name: string, action = "create"): void {
	if (name.length === 1)
		throw new InvalidParameterError(
			`${action} ${name}: volume name is too short, names should be at least two alphanumeric characters`,
		);
	if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
		throw new InvalidParameterError(
			`${action} ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
		);
	if (name.length > 255) throw new InvalidParameterError(`${action} ${name}: file name too long`);
}
