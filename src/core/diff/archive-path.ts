import { InvalidParameterError } from "../../base/errors.ts";

/**
 * A member's name as a clean path below the root, without slashes at its ends; "" is the root itself. Absolute names start at the root.
 * @throws InvalidParameterError when it climbs out
 */
export function cleanMemberName(name: string): string {
	const parts: string[] = [];
	for (const part of name.split("/")) {
		if (part === "" || part === ".") continue;
		if (part !== "..") parts.push(part);
		else if (parts.pop() === undefined && !name.startsWith("/"))
			throw new InvalidParameterError(`archive member "${name}" is outside of the root`);
	}
	return parts.join("/");
}

/** "" for a name in the root. */
export function parentOf(path: string): string {
	return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

export function baseOf(path: string): string {
	return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(parent: string, name: string): string {
	return parent === "" ? name : `${parent}/${name}`;
}
