import { EngineError, NotFoundError } from "../../base/errors.ts";
import { familiar } from "../image/reference.ts";
import { RemoteError } from "./remote-error.ts";

/**
 * A registry's refusal in the words docker's clients look for.
 * @param name normalised repository name
 * @param reference normalised, with tag or digest
 */
export function pullError(error: unknown, name: string, reference: string): unknown {
	if (!(error instanceof RemoteError)) return error;
	const { code, status } = error.failure;
	const said = (what: string) => new NotFoundError(`${what}: ${error.message}`, { cause: error });
	if (code === "DENIED")
		return said(`pull access denied for ${familiar(name)}, repository does not exist or may require 'docker login'`);
	if (code === "MANIFEST_UNKNOWN") return said(`manifest for ${familiar(reference)} not found`);
	if (code === "NAME_UNKNOWN") return said(`repository ${familiar(name)} not found`);
	if (status === 404)
		return new NotFoundError(`manifest for ${familiar(reference)} not found: manifest unknown: manifest unknown`, {
			cause: error,
		});
	return new EngineError(error.kind, error.message, { cause: error });
}
