import { InvalidParameterError } from "../../base/errors.ts";

/** @throws InvalidParameterError in the `local` driver's words */
export function checkVolumeName(name: string): void {
	if (name.length === 1)
		throw new InvalidParameterError(
			`create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
		);
	if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
		throw new InvalidParameterError(
			`create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
		);
	if (name.length > 255) throw new InvalidParameterError(`create ${name}: file name too long`);
}
