import type { Action, Identity } from "../core/registry/access.ts";
import type { Challenge } from "../core/registry/authenticator.ts";
import { checkRepositoryName } from "../core/registry/names.ts";
import { type RegistryError, registryError } from "../core/registry/registry-error.ts";
import type { RegistryEvent, RequestInfo } from "./events.ts";
import type { Registry } from "./registry.ts";

/** One request on its way through the routes. */
export interface Exchange {
	readonly request: Request;
	readonly url: URL;
	/** Parts of the path that the route names, decoded. */
	readonly params: Readonly<Record<string, string>>;
	readonly info: RequestInfo;
	readonly identity: Identity;
	readonly registry: Registry;
}

export type Handler = (exchange: Exchange) => Promise<Response> | Response;

/** The request lacks rights, and here is how to get them. */
export class ChallengeError extends Error {
	constructor(
		readonly challenge: Challenge | undefined,
		readonly scope: string | undefined,
		readonly refusal: RegistryError,
	) {
		super(refusal.message);
	}

	get header(): string | undefined {
		if (this.challenge === undefined) return undefined;
		if (this.challenge.scheme === "basic") return `Basic realm="${this.challenge.realm}"`;
		const { realm, service } = this.challenge;
		return `Bearer realm="${realm}",service="${service}"${this.scope === undefined ? "" : `,scope="${this.scope}"`}`;
	}
}

/** The repository's name, after it was made sure that the request may do this with it. */
export function authorize(exchange: Exchange, action: Action, name = exchange.params["name"] ?? ""): string {
	checkRepositoryName(name);
	const { identity, registry } = exchange;
	if (registry.isReadOnly && action !== "pull")
		throw registryError("UNSUPPORTED", undefined, "the registry is read-only");
	if (registry.pullThrough !== undefined && action === "push")
		throw registryError("UNSUPPORTED", undefined, "the registry is a pull-through cache");
	if (identity.allows({ repository: name, action })) return name;
	const { authenticator } = registry;
	const actions = action === "push" ? "pull,push" : action;
	const detail = [{ Type: "repository", Class: "", Name: name, Action: action }];
	// Somebody known by a password gets no further with another try; a token can be exchanged for one with more rights.
	if (identity.user !== "" && authenticator?.challenge.scheme !== "bearer") throw registryError("DENIED", detail);
	throw new ChallengeError(
		authenticator?.challenge,
		`repository:${name}:${actions}`,
		registryError("UNAUTHORIZED", detail),
	);
}

/** Any known user. */
export function requireUser(exchange: Exchange): void {
	const { authenticator } = exchange.registry;
	if (authenticator === undefined || exchange.identity.user !== "") return;
	throw new ChallengeError(authenticator.challenge, undefined, registryError("UNAUTHORIZED"));
}

/** Who may see names of repositories: each is still filtered by `pull`. */
export function requireListing(exchange: Exchange): void {
	if (exchange.identity.mayList) return;
	const { authenticator } = exchange.registry;
	const detail = [{ Type: "registry", Class: "", Name: "catalog", Action: "*" }];
	throw new ChallengeError(authenticator?.challenge, "registry:catalog:*", registryError("UNAUTHORIZED", detail));
}

export function emit(exchange: Exchange, event: Omit<RegistryEvent, "request">): void {
	exchange.registry.events.emit({ ...event, request: exchange.info });
}

export function isHead(exchange: Exchange): boolean {
	return exchange.request.method === "HEAD";
}

/** The `Link` header of a page that has a successor. */
export function nextLink(exchange: Exchange, query: Readonly<Record<string, string>>): string {
	const parameters = new URLSearchParams(exchange.url.search);
	for (const [name, value] of Object.entries(query)) parameters.set(name, value);
	return `<${exchange.url.pathname}?${parameters}>; rel="next"`;
}
