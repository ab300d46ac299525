import { errnoCode } from "../../base/errors.ts";
import { parseKeyValues } from "./key-values.ts";

export interface SecretSource {
	readonly id: string;
	/** A file, else a variable of the environment. */
	readonly kind: "file" | "env";
	readonly name: string;
}

/**
 * One `--secret`: `id=x,src=FILE`, `id=x,env=NAME`, `src=FILE` (its name is the ID); `id=x` alone is the variable of that name if there is one,
 * else the file.
 * @throws Error
 */
export function parseSecret(text: string, environment: Readonly<Record<string, string | undefined>>): SecretSource {
	const values = parseKeyValues(text);
	let id = "";
	let file: string | undefined;
	let variable: string | undefined;
	let type = "";
	for (const [key, value] of values) {
		if (key === "id") id = value;
		else if (key === "src" || key === "source") file = value;
		else if (key === "env") variable = value;
		else if (key === "type") type = value;
		else throw new Error(`unexpected key '${key}' in '${key}=${value}'`);
	}
	if (type !== "" && type !== "file" && type !== "env") throw new Error(`unsupported secret type "${type}"`);
	if (type === "env" && variable === undefined) {
		variable = file ?? id;
		file = undefined;
	}
	if (file === undefined && variable === undefined) {
		if (id === "") throw new Error("secret needs an id, a src or an env");
		if (type === "" && environment[id] !== undefined) variable = id;
		else file = id;
	}
	if (variable !== undefined && file === undefined) return { id: id || variable, kind: "env", name: variable };
	const path = file ?? "";
	return { id: id || path.slice(path.lastIndexOf("/") + 1), kind: "file", name: path };
}

/** Before anything is built. @throws Error for a secret's file that cannot be read */
export async function checkSecrets(secrets: readonly SecretSource[]): Promise<void> {
	const { access, constants } = await import("node:fs/promises");
	for (const { id, kind, name } of secrets) {
		if (kind !== "file") continue;
		await access(name, constants.R_OK).catch((cause: unknown) => {
			const reason = errnoCode(cause) === "EACCES" ? "permission denied" : "no such file or directory";
			throw new Error(`failed to read secret ${id} from ${name}: ${reason}`, { cause });
		});
	}
}

export interface SshSource {
	readonly id: string;
	/** Agent sockets or private keys; empty: the agent of the environment. */
	readonly paths: readonly string[];
}

/** One `--ssh`: `default`, `id`, `id=SOCKET` or `id=KEY,KEY`. */
export function parseSsh(text: string): SshSource {
	const equals = text.indexOf("=");
	if (equals < 0) return { id: text === "" ? "default" : text, paths: [] };
	return {
		id: text.slice(0, equals) || "default",
		paths: text
			.slice(equals + 1)
			.split(",")
			.filter(Boolean),
	};
}
