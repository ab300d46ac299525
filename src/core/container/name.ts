import { ConflictError, InvalidParameterError } from "../../base/errors.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/**
 * The name without its leading slash.
 * @throws InvalidParameterError
 */
export function normaliseName(name: string): string {
	const bare = name.startsWith("/") ? name.slice(1) : name;
	if (!NAME.test(bare))
		throw new InvalidParameterError(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
	return bare;
}

export function nameConflict(name: string, ownerId: string): ConflictError {
	return new ConflictError(
		`Conflict. The container name "/${name}" is already in use by container "${ownerId}". ` +
			"You have to remove (or rename) that container to be able to reuse that name.",
	);
}
