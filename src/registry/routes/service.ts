/** What is about the registry as a whole. */

import { parseScopes } from "../../core/registry/access.ts";
import { parseBasic } from "../../core/registry/authenticator.ts";
import { registryError } from "../../core/registry/registry-error.ts";
import { ChallengeError, type Exchange, requireUser } from "../exchange.ts";
import type { TokenService } from "../registry.ts";

/** Whether this speaks the protocol, and whether the credentials are any good. */
export function base(exchange: Exchange): Response {
	requireUser(exchange);
	return Response.json({}, { headers: { "Docker-Distribution-API-Version": "registry/2.0" } });
}

/** Alive, and the storage answers. */
export async function health(exchange: Exchange): Promise<Response> {
	await exchange.registry.storage.list("uploads");
	return Response.json({ status: "ok" });
}

export function metrics(exchange: Exchange): Response {
	return new Response(exchange.registry.metrics.render(), {
		headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" },
	});
}

/** The built-in token service: a password, or an earlier refresh of it, for a token with as many of the rights asked for as there are. */
export async function token(exchange: Exchange): Promise<Response> {
	const { tokenService } = exchange.registry;
	if (tokenService === undefined) throw registryError("UNSUPPORTED");
	const form = exchange.request.method === "POST" ? await readForm(exchange.request) : exchange.url.searchParams;
	const credentials = credentialsOf(exchange, form);
	const isKnown =
		credentials !== undefined && (await tokenService.passwords.verify(credentials.user, credentials.password));
	if (credentials !== undefined && !isKnown)
		throw new ChallengeError(
			{ scheme: "basic", realm: tokenService.service },
			undefined,
			registryError("UNAUTHORIZED"),
		);
	const user = credentials?.user ?? "";
	const access = grantedAccess(tokenService, user, form.getAll("scope"));
	const issued = tokenService.issuer.issue(user, access);
	return Response.json(
		{
			token: issued.token,
			access_token: issued.token,
			expires_in: issued.expiresInSeconds,
			issued_at: issued.issuedAt.toISOString(),
		},
		{ headers: { "Cache-Control": "no-store" } },
	);
}

const FORM_LIMIT_BYTES = 64 << 10;

async function readForm(request: Request): Promise<URLSearchParams> {
	if (Number(request.headers.get("content-length") ?? FORM_LIMIT_BYTES + 1) > FORM_LIMIT_BYTES)
		throw registryError("SIZE_INVALID");
	return new URLSearchParams(await request.text());
}

function credentialsOf(
	exchange: Exchange,
	form: URLSearchParams,
): { readonly user: string; readonly password: string } | undefined {
	const basic = parseBasic(exchange.request.headers.get("authorization") ?? undefined);
	if (basic !== undefined) return basic;
	if (form.get("grant_type") !== "password") return undefined;
	return { user: form.get("username") ?? "", password: form.get("password") ?? "" };
}

function grantedAccess(service: TokenService, user: string, scopes: readonly string[]) {
	return parseScopes(scopes).flatMap(({ type, name, actions }) => {
		if (type === "registry" && name === "catalog" && user !== "") return [{ type, name, actions: ["*"] }];
		if (type !== "repository") return [];
		const wanted = actions.includes("*") ? ["pull", "push", "delete"] : actions;
		const granted = (["pull", "push", "delete"] as const).filter(
			(action) => wanted.includes(action) && service.rules.allows(user, { repository: name, action }),
		);
		return granted.length === 0 ? [] : [{ type, name, actions: granted }];
	});
}
