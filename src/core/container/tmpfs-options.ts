import { InvalidParameterError } from "../../base/errors.ts";

const FLAGS: ReadonlySet<string> = new Set(
	(
		"ro rw exec noexec suid nosuid dev nodev sync async dirsync remount mand nomand atime noatime diratime nodiratime " +
		"bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime strictatime " +
		"nostrictatime defaults huge=never"
	).split(" "),
);

/** tmpfs(5)'s own options, which take a value. */
const VALUED = ["mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", "huge"];

/** Options that undo one another. */
const OPPOSITES = ["exec", "suid", "dev", "mand", "atime", "diratime", "relatime", "strictatime"];

export function checkTmpfsOption(option: string): boolean {
	if (FLAGS.has(option)) return true;
	const equals = option.indexOf("=");
	return equals > 0 && VALUED.includes(option.slice(0, equals)) && !/[\s,]/.test(option);
}

/**
 * Docker's defaults with the given options over them; of two that contradict each other the later one counts.
 * @throws InvalidParameterError
 */
export function mergeTmpfsOptions(given: readonly string[]): string[] {
	const merged = new Map<string, string>();
	for (const option of ["noexec", "nosuid", "nodev", "rprivate", ...given]) {
		if (option === "" || option === "defaults") continue;
		if (!checkTmpfsOption(option)) throw new InvalidParameterError(`invalid tmpfs option "${optionKey(option)}"`);
		merged.delete(optionKey(option));
		merged.set(optionKey(option), option);
	}
	return [...merged.values()];
}

function optionKey(option: string): string {
	if (option === "ro" || option === "rw") return "ro";
	if (/^r?(private|shared|slave|unbindable)$/.test(option)) return "propagation";
	const bare = option.startsWith("no") ? option.slice(2) : option;
	if (OPPOSITES.includes(bare)) return bare;
	const equals = option.indexOf("=");
	return equals === -1 ? option : option.slice(0, equals);
}
