import { errnoCode } from "../../base/errors.ts";

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
	const code = errnoCode(error);
	return code !== undefined && codes.includes(code);
}
