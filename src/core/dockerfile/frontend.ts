import { NotImplementedError } from "../../base/errors.ts";
import { parseDirective } from "./directives.ts";
import type { Dockerfile } from "./syntax.ts";

/** Overrides the directive. */
const SYNTAX_ARGUMENT = "BUILDKIT_SYNTAX";
/** Copies in other registries keep at least the last name. */
const OWN_FRONTEND = /^(?:[^@]*\/)?dockerfile(?:-upstream)?(?::[^/@]*)?(?:@.*)?$/;

/**
 * BuildKit runs the image that `# syntax=` names to read the file. Releases of `docker/dockerfile` are what is built in here.
 * @throws NotImplementedError for any other
 */
export function checkFrontend(dockerfile: Pick<Dockerfile, "source">, buildArgs: ReadonlyMap<string, string>): void {
	const [reference = ""] = (buildArgs.get(SYNTAX_ARGUMENT) ?? syntaxOf(dockerfile.source) ?? "").split(" ", 1);
	if (reference === "" || OWN_FRONTEND.test(reference)) return;
	throw new NotImplementedError(
		`the file asks for the frontend "${reference}": only docker/dockerfile is built in, and others cannot be run`,
	);
}

/** Of the lines that may hold directives; a `#!` may stand before them. */
function syntaxOf(source: string): string | undefined {
	for (const [index, line] of source.split("\n", 8).entries()) {
		if (index === 0 && line.startsWith("#!")) continue;
		const directive = parseDirective(line);
		if (directive === undefined) return undefined;
		if (directive.name === "syntax") return directive.value;
	}
	return undefined;
}
