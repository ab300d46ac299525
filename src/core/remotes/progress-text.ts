import { humanSize } from "../../base/units.ts";

const BAR_WIDTH = 50;

/** The bar that older clients show as it comes, e.g. `[====>      ]  1.2MB/5MB`. */
export function progressText(current: number, total: number): string {
	if (total <= 0 || current > total) return humanSize(current).padStart(8);
	const filled = Math.floor((current / total) * BAR_WIDTH);
	return `[${"=".repeat(filled)}>${" ".repeat(BAR_WIDTH - filled)}] ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}
