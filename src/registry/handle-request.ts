import { randomBytes } from "node:crypto";
import type { Identity } from "../core/registry/access.ts";
import { registryError } from "../core/registry/registry-error.ts";
import { ChallengeError, type Exchange } from "./exchange.ts";
import { errorResponse, statusOf } from "./oci-errors.ts";
import type { Registry } from "./registry.ts";
import { ROUTES, type Route } from "./routes.ts";

const PROTOCOL_HEADERS = { "Docker-Distribution-API-Version": "registry/2.0" } as const;
/** Without an authenticator. */
const ANYBODY: Identity = { user: "", allows: () => true, mayList: true, sees: () => true };
const NOBODY: Identity = { user: "", allows: () => false, mayList: false, sees: () => false };

/** One request from its line to the answer's head, with its line in the access log and its place in the metrics. */
export async function handleRequest(registry: Registry, request: Request, address: string): Promise<Response> {
	const startedMs = performance.now();
	const url = new URL(request.url);
	const found = findRoute(url.pathname);
	const route = found?.route.name ?? "unknown";
	const gauge = "gantry_registry_requests_in_flight";
	const info = requestInfo(request, address, url);
	let user = "";
	let response: Response;
	registry.metrics.add(gauge);
	try {
		const identity = found?.route.isOpen ? NOBODY : await identify(registry, request);
		user = identity.user;
		response = await answer(
			{ request, url, params: found?.params ?? {}, info: { ...info, user }, identity, registry },
			found?.route,
		);
	} catch (error) {
		response = refuse(registry, error, info.id, request);
	}
	registry.metrics.add(gauge, {}, -1);
	const durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
	registry.metrics.request(route, request.method, response.status, durationMs / 1000);
	logAccess(registry, { info, user, url, response, durationMs, route });
	return response;
}

async function answer(exchange: Exchange, route: Route | undefined): Promise<Response> {
	if (route === undefined)
		return Response.json({ errors: [{ code: "NOT_FOUND", message: "page not found" }] }, { status: 404 });
	const handler = route.methods[exchange.request.method];
	if (handler === undefined) {
		const response = errorResponse(registryError("UNSUPPORTED", undefined, "method not allowed"));
		response.headers.set("Allow", Object.keys(route.methods).join(", "));
		return response;
	}
	const response = await handler(exchange);
	for (const [name, value] of Object.entries(PROTOCOL_HEADERS)) response.headers.set(name, value);
	return response;
}

/** The rights of the request. Wrong credentials are refused even where none are needed: their owner should know. */
async function identify(registry: Registry, request: Request): Promise<Identity> {
	const { authenticator } = registry;
	if (authenticator === undefined) return ANYBODY;
	const identity = await authenticator.identify(request.headers.get("authorization") ?? undefined);
	if (identity !== undefined) return identity;
	throw new ChallengeError(authenticator.challenge, undefined, registryError("UNAUTHORIZED"));
}

function refuse(registry: Registry, error: unknown, requestId: string, request: Request): Response {
	if (error instanceof ChallengeError) {
		const { header } = error;
		return errorResponse(error.refusal, {
			...PROTOCOL_HEADERS,
			...(header === undefined ? {} : { "WWW-Authenticate": header }),
		});
	}
	// The client went away: nobody reads the answer.
	if (statusOf(error) >= 500 && !request.signal.aborted)
		registry.logger.error("request failed", { request: requestId, error: describe(error) });
	return errorResponse(error, PROTOCOL_HEADERS);
}

function describe(error: unknown): string {
	const parts: string[] = [];
	for (let current = error; current instanceof Error; current = current.cause) parts.push(current.message);
	return parts.length === 0 ? String(error) : parts.join(": ");
}

function findRoute(
	path: string,
): { readonly route: Route; readonly params: Readonly<Record<string, string>> } | undefined {
	for (const route of ROUTES) {
		const match = route.pattern.exec(path);
		if (match !== null) return { route, params: decode(match.groups ?? {}) };
	}
	return undefined;
}

function decode(params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
	try {
		return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
	} catch {
		// Not valid percent-encoding: as it stands it matches no name's grammar.
		return params;
	}
}

function requestInfo(request: Request, address: string, url: URL): Exchange["info"] {
	return {
		id: randomBytes(8).toString("hex"),
		address,
		host: url.host,
		method: request.method,
		userAgent: request.headers.get("user-agent") ?? "",
		user: "",
	};
}

function logAccess(
	registry: Registry,
	line: {
		readonly info: Exchange["info"];
		readonly user: string;
		readonly url: URL;
		readonly response: Response;
		readonly durationMs: number;
		readonly route: string;
	},
): void {
	const { info, user, url, response, durationMs, route } = line;
	const level = route === "health" || route === "metrics" ? "debug" : "info";
	registry.logger[level]("request", {
		request: info.id,
		method: info.method,
		// Without the query: tokens and upload states travel there.
		path: url.pathname,
		status: response.status,
		durationMs,
		address: info.address,
		userAgent: info.userAgent,
		...(user === "" ? {} : { user }),
	});
}
