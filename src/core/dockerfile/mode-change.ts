/** `--chmod`: octal, or symbolic as chmod(1) takes it. */
import { InvalidParameterError } from "../../base/errors.ts";

/** A change of permission bits; symbolic ones depend on what the file has. */
export type ModeChange = (permissions: number, isDirectory: boolean) => number;

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const SHIFTS = { u: 6, g: 3, o: 0 } as const;
type Who = keyof typeof SHIFTS;

/** The mode, where the text says all of it. */
export function absoluteMode(text: string): number | undefined {
	return /^0?[0-7]{1,4}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/**
 * As BuildKit takes it: `t` counts for all classes together only, `=` leaves that bit alone, and what is copied from another class
 * (`g=u`) has neither set-user-ID nor set-group-ID in it.
 * @throws InvalidParameterError
 */
export function parseModeChange(text: string): ModeChange {
	const mode = absoluteMode(text);
	if (mode !== undefined) return () => mode;
	const changes = text.split(",").map((clause) => parseClause(clause, text));
	return (permissions, isDirectory) => changes.reduce((mode, change) => change(mode, isDirectory), permissions);
}

function parseClause(clause: string, whole: string): ModeChange {
	const [, who = "", actions] = CLAUSE.exec(clause) ?? [];
	if (actions === undefined)
		throw new InvalidParameterError(
			`invalid chmod parameter: '${whole}'. it should be octal string and between 0 and 07777`,
		);
	const classes = (who === "" || who.includes("a") ? ["u", "g", "o"] : [...new Set(who)]) as Who[];
	const steps = [...actions.matchAll(/([-+=])([^-+=]*)/g)].map(([, operator = "", letters = ""]) => ({
		operator,
		letters,
	}));
	return (permissions, isDirectory) =>
		steps.reduce((mode, { operator, letters }) => {
			const bits = bitsOf(letters, classes, mode, isDirectory);
			if (operator === "+") return mode | bits;
			if (operator === "-") return mode & ~bits;
			return (mode & ~maskOf(classes, /^[ugo]$/.test(letters))) | bits;
		}, permissions);
}

function bitsOf(letters: string, classes: readonly Who[], mode: number, isDirectory: boolean): number {
	let bits = 0;
	for (const who of classes) {
		const shift = SHIFTS[who];
		for (const letter of letters)
			if (letter === "r") bits |= 4 << shift;
			else if (letter === "w") bits |= 2 << shift;
			else if (letter === "x") bits |= 1 << shift;
			else if (letter === "X") bits |= isDirectory || (mode & 0o111) !== 0 ? 1 << shift : 0;
			else if (letter === "s") bits |= who === "u" ? 0o4000 : who === "g" ? 0o2000 : 0;
			else if (letter === "t") bits |= classes.length === 3 ? 0o1000 : 0;
			else bits |= ((mode >> SHIFTS[letter as Who]) & 7) << shift;
	}
	return bits;
}

function maskOf(classes: readonly Who[], isCopy: boolean): number {
	let mask = 0;
	for (const who of classes)
		mask |= (7 << SHIFTS[who]) | (isCopy ? 0 : who === "u" ? 0o4000 : who === "g" ? 0o2000 : 0);
	return mask;
}
