/**
 * A build's result as its client may hand it to another build, as input of it: a graph (LLB) of one source, which nobody could run but whoever knows
 * the result by that name.
 */
import type { MessageOf } from "../../../api/buildkit/message.ts";
import { type DEFINITION, OP } from "../../../api/buildkit/values.ts";
import { sha256 } from "../../../base/digest.ts";
import { NotImplementedError } from "../../../base/errors.ts";

type Definition = MessageOf<typeof DEFINITION>;

const SCHEME = "gantry-result://";

export function definitionOf(reference: string): Definition {
	const source = OP.encode({ source: { identifier: `${SCHEME}${reference}`, attrs: new Map() } });
	const digest = sha256(source);
	const end = OP.encode({ inputs: [{ digest, index: 0 }] });
	return { def: [source, end], metadata: new Map([[digest, { description: new Map() }]]) };
}

/** @throws NotImplementedError for a graph that has more in it than a result of ours */
export function referenceOf(definition: Definition): string {
	const ops = definition.def.map((bytes) => OP.decode(bytes));
	const identifiers = ops.flatMap(({ source }) => (source === undefined ? [] : [source.identifier]));
	const others = ops.filter(({ source, inputs }) => source === undefined && inputs.length !== 1);
	const [identifier, ...more] = identifiers;
	if (identifier?.startsWith(SCHEME) !== true || more.length > 0 || others.length > 0 || ops.length > 2)
		throw new NotImplementedError("builds of LLB are not supported: only Dockerfiles, and results of other targets");
	return identifier.slice(SCHEME.length);
}

export function isEmptyDefinition(definition: Definition | undefined): boolean {
	return definition === undefined || definition.def.length === 0;
}
