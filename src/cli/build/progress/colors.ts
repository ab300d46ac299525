/** Escape sequences for steps on a terminal, by how they stand. Empty: the terminal's own colour. */
export interface StepColors {
	/** Done, or cached. */
	readonly run: string;
	readonly cancel: string;
	readonly error: string;
	readonly warning: string;
}

const DEFAULT_COLORS: StepColors = { run: "\x1b[34m", cancel: "\x1b[33m", error: "\x1b[31m", warning: "\x1b[33m" };
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/**
 * NO_COLOR and TERM=dumb: none. BUILDKIT_COLORS changes some: `run=green:error=255,0,0:cancel=light-red`. What is wrong in it is told to `warn`
 * and left out, as BuildKit does.
 */
export function stepColors(
	environment: Readonly<Record<string, string | undefined>>,
	warn: (message: string) => void,
): StepColors | undefined {
	if (environment["NO_COLOR"] || environment["TERM"] === "dumb") return undefined;
	const colors: Record<keyof StepColors, string> = { ...DEFAULT_COLORS };
	for (const field of (environment["BUILDKIT_COLORS"] ?? "").split(":").filter(Boolean)) {
		const [name = "", value = ""] = field.toLowerCase().split("=");
		const color = colorOf(value);
		if (isColorName(name) && color !== undefined) colors[name] = color;
		else warn(`invalid BUILDKIT_COLORS: ${field}`);
	}
	return colors;
}

function isColorName(name: string): name is keyof StepColors {
	return Object.hasOwn(DEFAULT_COLORS, name);
}

/** A name, `light-` and a name, or `red,green,blue`. */
function colorOf(text: string): string | undefined {
	const isLight = text.startsWith("light-");
	const number = NAMES.indexOf(isLight ? text.slice("light-".length) : text);
	if (number >= 0) return `\x1b[${(isLight ? 90 : 30) + number}m`;
	const parts = /^(\d{1,3}),(\d{1,3}),(\d{1,3})$/.exec(text)?.slice(1).map(Number);
	return parts?.every((part) => part <= 255) === true ? `\x1b[38;2;${parts.join(";")}m` : undefined;
}
