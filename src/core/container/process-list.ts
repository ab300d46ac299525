/** `docker top`: the output of ps on the host, as a table of the container's processes. */
import type { ContainerTopResponse } from "../../api/engine/container.ts";
import { InvalidParameterError, SystemError } from "../../base/errors.ts";

export const DEFAULT_PS_ARGUMENTS = "-ef";

/**
 * Splits the arguments as Docker does, at white space.
 * @throws InvalidParameterError when a column is renamed to PID: the real one could no longer be told
 */
export function parsePsArguments(text: string): string[] {
	const values = text.trim() === "" ? [DEFAULT_PS_ARGUMENTS] : text.trim().split(/\s+/);
	for (const [, column] of text.matchAll(/(?:^|[\s,])([^\s,=]+)=PID\b/g))
		if (column !== undefined && column !== "pid" && !column.startsWith("-opid"))
			throw new InvalidParameterError(`specifying "${column}=PID" is not allowed`);
	return values;
}

/** Keeps the lines whose PID is the container's. @throws SystemError when the output has no PID column */
export function parseProcessList(output: string, processIds: ReadonlySet<number>): ContainerTopResponse {
	const [header = "", ...lines] = output.split("\n");
	const titles = header.split(/\s+/).filter((title) => title !== "");
	const pidColumn = titles.indexOf("PID");
	if (pidColumn < 0) throw new SystemError("Couldn't find PID field in ps output");
	const processes: string[][] = [];
	let wasOurs = false;
	for (const line of lines) {
		const fields = line.split(/\s+/).filter((field) => field !== "");
		if (fields.length === 0) continue;
		const pid = fields[pidColumn] ?? "";
		// A dash stands for the threads of the process above (`ps m`).
		const ours: boolean = pid === "-" ? wasOurs : processIds.has(Number(pid));
		wasOurs = ours;
		if (!ours) continue;
		const last = titles.length - 1;
		processes.push([...fields.slice(0, last), fields.slice(last).join(" ")]);
	}
	return { Titles: titles, Processes: processes };
}
