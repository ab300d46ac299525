import type { ImageDeleteResponse } from "../api/engine/image.ts";
import type { CliContext } from "./context.ts";
import { preciseSize } from "./formatter/human.ts";

/** The list of what a prune removed, if anything. */
export function reportDeleted(context: CliContext, title: string, names: readonly string[] | null): void {
	if (names === null || names.length === 0) return;
	context.stdout.line(`${title}:`);
	for (const name of names) context.stdout.line(name);
	context.stdout.line("");
}

export function reportReclaimed(context: CliContext, bytes: number): void {
	context.stdout.line(`Total reclaimed space: ${preciseSize(bytes)}`);
}

export function imageLines(deleted: readonly ImageDeleteResponse[] | null): string[] {
	return (deleted ?? []).map((item) =>
		"Untagged" in item && item.Untagged
			? `untagged: ${item.Untagged}`
			: `deleted: ${"Deleted" in item ? item.Deleted : ""}`,
	);
}
