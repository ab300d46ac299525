import type { ImageSummary } from "../../api/engine/image.ts";
import { humanSize } from "../../base/units.ts";
import { truncateId } from "../formatter/human.ts";
import { layOutTight } from "../formatter/table.ts";

const HEADERS = ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"];
const PADDING = 3;

/** Each image once, its names above one another, the longest first, as docker has it. An image is of one platform, and its compressed layers are not kept. */
export function writeTree(images: readonly ImageSummary[], showsUntagged: boolean): string {
	const rows = images.flatMap((image) => {
		const names = (image.RepoTags ?? []).filter((name) => name !== "<none>:<none>");
		names.sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
		const isHidden = names.length === 0 && !showsUntagged;
		const last = names.pop() ?? "<untagged>";
		const facts = [truncateId(image.Id), humanSize(image.Size), humanSize(0), image.Containers > 0 ? "U" : ""];
		return isHidden ? [] : [...names.map((name) => [name]), [last, ...facts]];
	});
	const table = layOutTight([HEADERS, ...rows], PADDING).replace(/ +$/gm, "");
	return ` U: in use\n\n${table}`;
}
