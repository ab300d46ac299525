/** ONBUILD. */

import type { OnbuildInstruction } from "../syntax.ts";
import type { InstructionContext } from "./instruction-context.ts";
import { firstWord } from "./instruction-words.ts";

const REFUSED: readonly string[] = ["MAINTAINER", "FROM"];

/** The trigger itself is read when it fires, in the words and the version of then. @throws DockerfileError */
export function parseOnbuild(context: InstructionContext): OnbuildInstruction {
	context.flags({});
	if (context.rest.text === "") throw context.atLeastOne();
	const { first } = firstWord(context.rest);
	const trigger = first.text.toUpperCase();
	if (trigger === "ONBUILD") throw context.problem("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", first);
	if (REFUSED.includes(trigger)) throw context.problem(`${trigger} isn't allowed as an ONBUILD trigger`, first);
	const heredocs = context.heredocs.map(({ content, name }) => `\n${content}${name}`).join("");
	return { ...context.base, kind: "onbuild", expression: context.text.slice(context.rest.start) + heredocs };
}
