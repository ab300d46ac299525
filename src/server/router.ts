import { InvalidParameterError } from "../base/errors.ts";
import type { ApiRequest } from "./api-request.ts";
import type { Reply } from "./http/reply.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
export type Handler = (request: ApiRequest) => Promise<Reply> | Reply;

export interface Route {
	readonly method: Method;
	/** `/containers/{name}/json`; `{name}` is one segment, `{name...}` one or more (image names have slashes). */
	readonly path: string;
	readonly handle: Handler;
}

export interface RouteMatch {
	readonly route: Route;
	readonly parameters: Readonly<Record<string, string>>;
}

interface CompiledRoute {
	readonly route: Route;
	readonly names: readonly string[];
	readonly pattern: RegExp;
}

/** Finds the route of a request. Literal paths win over patterns; patterns are tried in the table's order. */
export class Router {
	readonly #literal = new Map<string, RouteMatch>();
	/** By method and first segment. */
	readonly #patterns = new Map<string, CompiledRoute[]>();

	constructor(routes: readonly Route[]) {
		for (const route of routes) this.#add(route);
	}

	/** @throws InvalidParameterError when a placeholder's value is badly encoded */
	find(method: string, path: string): RouteMatch | undefined {
		const literal = this.#literal.get(`${method} ${path}`);
		if (literal !== undefined) return literal;
		for (const candidate of this.#patterns.get(groupOf(method, path)) ?? []) {
			const match = candidate.pattern.exec(path);
			if (match !== null) return { route: candidate.route, parameters: decodeParameters(candidate.names, match) };
		}
		return undefined;
	}

	#add(route: Route): void {
		if (!route.path.includes("{")) {
			this.#literal.set(`${route.method} ${route.path}`, { route, parameters: {} });
			return;
		}
		const group = groupOf(route.method, route.path);
		const list = this.#patterns.get(group) ?? [];
		list.push(compile(route));
		this.#patterns.set(group, list);
	}
}

function groupOf(method: string, path: string): string {
	const slash = path.indexOf("/", 1);
	return `${method} ${slash < 0 ? path : path.slice(0, slash)}`;
}

function compile(route: Route): CompiledRoute {
	const names: string[] = [];
	const source = route.path.replace(/\{(\w+)(\.\.\.)?\}/g, (_all, name: string, rest: string | undefined) => {
		names.push(name);
		return rest === undefined ? "([^/]+)" : "(.+)";
	});
	return { route, names, pattern: new RegExp(`^${source}$`) };
}

function decodeParameters(names: readonly string[], match: RegExpExecArray): Record<string, string> {
	const parameters: Record<string, string> = {};
	names.forEach((name, index) => {
		parameters[name] = decodePart(match[index + 1] ?? "");
	});
	return parameters;
}

function decodePart(text: string): string {
	if (!text.includes("%")) return text;
	try {
		return decodeURIComponent(text);
	} catch (cause) {
		throw new InvalidParameterError(`invalid URL escape in "${text}"`, { cause });
	}
}
