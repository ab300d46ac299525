/** Who may do what with which repository. Pure. */
import { InvalidParameterError } from "../../base/errors.ts";

export type Action = "pull" | "push" | "delete";
export const ACTIONS: readonly Action[] = ["pull", "push", "delete"];

/** What a request needs. The catalog, search and the pages ask repository by repository. */
export interface Access {
	readonly repository: string;
	readonly action: Action;
}

/** Who asks, and what they may do. */
export interface Identity {
	/** Empty for somebody unknown. */
	readonly user: string;
	allows(access: Access): boolean;
	/** Whether lists of repositories may be asked for at all; each name is still subject to `sees`. */
	readonly mayList: boolean;
	/** Whether the repository's name may be shown. */
	sees(repository: string): boolean;
}

export interface AccessRule {
	/** A user, `*` for everybody who proved who they are, `anonymous` for everybody. */
	readonly user: string;
	/** Names, with `*` for any text without a slash and `**` for any text. */
	readonly repositories: readonly string[];
	readonly actions: readonly Action[];
}

/** Everything not allowed by a rule is denied. `${user}` in a pattern stands for the name of who asks. */
export class AccessRules {
	readonly #rules: readonly AccessRule[];

	constructor(rules: readonly AccessRule[]) {
		this.#rules = rules;
	}

	/** Whether somebody unknown may do anything at all. */
	get grantsAnonymous(): boolean {
		return this.#rules.some((rule) => rule.user === "anonymous");
	}

	allows(user: string, access: Access): boolean {
		return this.#rules.some(
			(rule) =>
				appliesTo(rule.user, user) &&
				rule.actions.includes(access.action) &&
				rule.repositories.some((pattern) => matchesName(pattern, user, access.repository)),
		);
	}
}

/** What holds where no access file is given: whoever proved who they are may do everything. */
export const FULL_ACCESS_FOR_USERS = new AccessRules([{ user: "*", repositories: ["**"], actions: ACTIONS }]);

function appliesTo(ruleUser: string, user: string): boolean {
	if (ruleUser === "anonymous") return true;
	return user !== "" && (ruleUser === "*" || ruleUser === user);
}

function matchesName(pattern: string, user: string, name: string): boolean {
	if (pattern.includes("${user}")) {
		if (user === "") return false;
		pattern = pattern.replaceAll("${user}", user);
	}
	return globMatches(pattern, name);
}

function globMatches(pattern: string, name: string): boolean {
	const source = pattern
		.split(/(\*\*|\*)/)
		.map((part) => (part === "**" ? ".*" : part === "*" ? "[^/]*" : part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")))
		.join("");
	return new RegExp(`^${source}$`).test(name);
}

/**
 * The content of an access file: `{rules: [{user, repositories, actions}]}`.
 * @throws InvalidParameterError that names what is wrong
 */
export function parseAccessRules(value: unknown): AccessRules {
	if (!isRecord(value) || !Array.isArray(value["rules"]))
		throw new InvalidParameterError("access file: rules is not a list");
	const unknown = Object.keys(value).find((key) => key !== "rules");
	if (unknown !== undefined) throw new InvalidParameterError(`access file: unknown key ${unknown}`);
	return new AccessRules(
		value["rules"].map((rule: unknown, index) => parseRule(rule, `access file: rule ${index + 1}`)),
	);
}

function parseRule(value: unknown, where: string): AccessRule {
	if (!isRecord(value)) throw new InvalidParameterError(`${where} is not a mapping`);
	const unknown = Object.keys(value).find((key) => !["user", "repositories", "actions"].includes(key));
	if (unknown !== undefined) throw new InvalidParameterError(`${where}: unknown key ${unknown}`);
	const { user } = value;
	if (typeof user !== "string" || user === "") throw new InvalidParameterError(`${where}: user is missing`);
	const repositories = stringsOf(value["repositories"], `${where}: repositories`);
	const actions = stringsOf(value["actions"], `${where}: actions`).flatMap((action) => {
		if (action === "*") return ACTIONS;
		const known = ACTIONS.find((each) => each === action);
		if (known === undefined) throw new InvalidParameterError(`${where}: unknown action ${action}`);
		return [known];
	});
	return { user, repositories, actions };
}

function stringsOf(value: unknown, where: string): string[] {
	if (!Array.isArray(value) || !value.every((each) => typeof each === "string"))
		throw new InvalidParameterError(`${where} is not a list of texts`);
	return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A scope of the token protocol, `repository:<name>:<action>,<action>`. */
export interface TokenScope {
	readonly type: string;
	readonly name: string;
	readonly actions: readonly string[];
}

const SCOPE = /^([a-z]+)(?:\([^)]*\))?:(.+):([^:]*)$/;

/** Scopes that make no sense are left out, as they grant nothing. */
export function parseScopes(texts: readonly string[]): TokenScope[] {
	return texts
		.flatMap((text) => text.split(" "))
		.flatMap((text) => {
			const [whole, type = "", name = "", actions = ""] = SCOPE.exec(text) ?? [];
			return whole === undefined ? [] : [{ type, name, actions: actions.split(",") }];
		});
}
