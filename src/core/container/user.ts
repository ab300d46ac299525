/** Users and groups of a container, looked up in its own `/etc/passwd` and `/etc/group`, never in the host's. */
import type { ProcessUser } from "../../api/oci/runtime-spec.ts";
import { InvalidParameterError } from "../../base/errors.ts";

export interface UserFiles {
	/** Contents of the files, empty when the image has none. */
	readonly passwd: string;
	readonly group: string;
}

interface PasswdEntry {
	readonly name: string;
	readonly uid: number;
	readonly gid: number;
}

interface GroupEntry {
	readonly name: string;
	readonly gid: number;
	readonly members: readonly string[];
}

const HIGHEST_ID = 2 ** 31 - 1;

/**
 * Resolves `user`, `uid`, `user:group`, `uid:gid` and mixtures; empty is root. A group that is named drops the user's
 * supplementary groups; `groupAdd` comes on top in any case.
 * @throws InvalidParameterError
 */
export function resolveUser(spec: string, files: UserFiles, groupAdd: readonly string[] = []): ProcessUser {
	const colon = spec.indexOf(":");
	const userPart = colon === -1 ? spec : spec.slice(0, colon);
	const groupPart = colon === -1 ? "" : spec.slice(colon + 1);
	const groups = parseGroup(files.group);
	const entry = parsePasswd(files.passwd).find(({ name, uid }) =>
		userPart === "" ? uid === 0 : name === userPart || String(uid) === userPart,
	);
	const uid = entry?.uid ?? numericId(userPart || "0");
	if (uid === undefined) throw notFound("user", userPart, "passwd");
	const gid = groupPart === "" ? (entry?.gid ?? 0) : groupId(groupPart, groups);
	const memberships =
		groupPart === "" && entry !== undefined
			? groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid)
			: [];
	const added = groupAdd.map((group) => groupId(group, groups));
	// The primary group is listed too: without it, files that deny it to the group could be read (CVE-2022-36109).
	return { uid, gid, additionalGids: [...new Set([gid, ...memberships, ...added])] };
}

/** Whether the user has an entry, and with it a home directory. */
export function hasAccount(uid: number, { passwd }: UserFiles): boolean {
	return parsePasswd(passwd).some((entry) => entry.uid === uid);
}

function groupId(text: string, groups: readonly GroupEntry[]): number {
	const entry = groups.find(({ name, gid }) => name === text || String(gid) === text);
	const gid = entry?.gid ?? numericId(text);
	if (gid === undefined) throw notFound("group", text, "group");
	return gid;
}

function numericId(text: string): number | undefined {
	if (!/^[+-]?\d+$/.test(text)) return undefined;
	const id = Number(text);
	if (id < 0 || id > HIGHEST_ID) throw new InvalidParameterError("uids and gids must be in range 0-2147483647");
	return id;
}

function notFound(what: string, name: string, file: string): InvalidParameterError {
	return new InvalidParameterError(`unable to find ${what} ${name}: no matching entries in ${file} file`);
}

function parsePasswd(text: string): PasswdEntry[] {
	return fieldsOf(text).flatMap(([name = "", , uid = "", gid = ""]) =>
		/^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [],
	);
}

function parseGroup(text: string): GroupEntry[] {
	return fieldsOf(text).flatMap(([name = "", , gid = "", members = ""]) =>
		/^\d+$/.test(gid) ? [{ name, gid: Number(gid), members: members.split(",") }] : [],
	);
}

function fieldsOf(text: string): string[][] {
	return text
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.startsWith("#"))
		.map((line) => line.split(":"));
}
