/** Why a build failed, with what BuildKit's clients show beside the message: the lines of the Dockerfile. */
import type { MessageOf } from "../../../api/buildkit/message.ts";
import type { ANY } from "../../../api/buildkit/values.ts";
import { DockerfileError } from "../../dockerfile/dockerfile-error.ts";
import { BuildStepError } from "../step-error.ts";
import type { SourceText } from "./solve-status.ts";

/** JSON, and not protobuf: what BuildKit's `typeurl` makes of its errors. */
const SOURCE_TYPE = "github.com/moby/buildkit/errdefs.Source+json";

export interface Lines {
	readonly start: number;
	readonly end: number;
}

/** Lines of the Dockerfile that an error is about; those of the innermost cause that has some. */
export function linesOfError(error: unknown): Lines | undefined {
	for (let current = error; current instanceof Error; current = current.cause) {
		if (current instanceof BuildStepError && current.step.lines !== undefined) return current.step.lines;
		if (current instanceof DockerfileError) {
			const [range] = current.ranges;
			if (range !== undefined) return { start: range.start.line, end: range.end.line };
		}
	}
	return undefined;
}

export function errorDetails(error: unknown, source: SourceText | undefined): MessageOf<typeof ANY>[] {
	const lines = linesOfError(error);
	if (lines === undefined || source === undefined) return [];
	const value = {
		info: { filename: source.filename, data: Buffer.from(source.data).toString("base64"), language: "Dockerfile" },
		ranges: [{ start: { line: lines.start }, end: { line: lines.end } }],
	};
	return [{ typeUrl: SOURCE_TYPE, value: Buffer.from(JSON.stringify(value)) }];
}

/** One line, without the place and the excerpt that the client shows by itself. */
export function messageOfError(error: unknown): string {
	if (error instanceof DockerfileError) {
		const [line] = error.ranges;
		return line === undefined ? error.summary : `dockerfile parse error on line ${line.start.line}: ${error.summary}`;
	}
	return error instanceof Error ? error.message : String(error);
}
