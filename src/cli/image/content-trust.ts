import type { ParsedOptions } from "../command.ts";
import type { Environment } from "../settings.ts";

/**
 * Signatures of docker's content trust cannot be checked here: who asks for that is told, not served without.
 * @throws Error
 */
export function refuseContentTrust(environment: Environment, options?: ParsedOptions): void {
	const name = "disable-content-trust";
	const isDisabled = options?.has(name)
		? options.bool(name)
		: !/^(?:1|t|true)$/i.test(environment["DOCKER_CONTENT_TRUST"] ?? "");
	if (!isDisabled)
		throw new Error("content trust is not supported: unset DOCKER_CONTENT_TRUST, or say --disable-content-trust");
}
