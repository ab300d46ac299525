/** A door with tokens before a registry that has none, which treats its visitors as the test says. */
export interface GateOptions {
	/** Of the registry behind. */
	readonly upstream: string;
	/** A token is good for so many requests; for good when undefined. */
	readonly requestsPerToken?: number;
	/** Given as refresh token to who asks for one. */
	readonly refreshToken?: string;
}

export interface TokenRequest {
	readonly method: string;
	readonly authorization: string | undefined;
	/** Of the query or the form. */
	readonly fields: Readonly<Record<string, string>>;
	readonly scopes: readonly string[];
}

export class TokenGate implements AsyncDisposable {
	readonly tokenRequests: TokenRequest[] = [];
	/** `PUT /v2/…`, those that had a good token. */
	readonly requests: string[] = [];
	/** What each request brought as `Authorization`. */
	readonly authorizations: (string | null)[] = [];
	readonly #uses = new Map<string, number>();
	readonly #server: Bun.Server<undefined>;

	constructor(private readonly options: GateOptions) {
		this.#server = Bun.serve({
			hostname: "127.0.0.1",
			port: 0,
			idleTimeout: 0,
			maxRequestBodySize: Number.MAX_SAFE_INTEGER,
			fetch: (request) => this.#answer(request),
		});
	}

	get host(): string {
		return `127.0.0.1:${this.#server.port}`;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#server.stop(true);
	}

	async #answer(request: Request): Promise<Response> {
		const url = new URL(request.url);
		if (url.pathname === "/token") return await this.#token(request, url);
		const authorization = request.headers.get("authorization");
		this.authorizations.push(authorization);
		if (!this.#admits(authorization?.replace(/^Bearer /, "") ?? "")) {
			await request.arrayBuffer();
			const realm = `http://${this.host}/token`;
			const challenge = `Bearer realm="${realm}",service="gate",scope="repository:asked/for:pull"`;
			return Response.json(
				{ errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] },
				{ status: 401, headers: { "WWW-Authenticate": challenge } },
			);
		}
		this.requests.push(`${request.method} ${url.pathname}${url.search}`);
		const headers = new Headers(request.headers);
		headers.delete("authorization");
		headers.delete("host");
		return await fetch(`${this.options.upstream}${url.pathname}${url.search}`, {
			method: request.method,
			headers,
			body: request.body,
			redirect: "manual",
		});
	}

	async #token(request: Request, url: URL): Promise<Response> {
		const form = request.method === "POST" ? new URLSearchParams(await request.text()) : url.searchParams;
		this.tokenRequests.push({
			method: request.method,
			authorization: request.headers.get("authorization") ?? undefined,
			fields: Object.fromEntries(form),
			scopes: form.getAll("scope").flatMap((scope) => scope.split(" ")),
		});
		const { refreshToken } = this.options;
		const isKnown =
			form.get("grant_type") === "refresh_token"
				? form.get("refresh_token") === refreshToken
				: request.headers.get("authorization") === `Basic ${btoa("joe:secret")}`;
		if (!isKnown) return Response.json({ details: "incorrect username or password" }, { status: 401 });
		const token = crypto.randomUUID();
		this.#uses.set(token, 0);
		const wantsRefresh = form.get("offline_token") === "true" && refreshToken !== undefined;
		return Response.json({ token, expires_in: 300, ...(wantsRefresh ? { refresh_token: refreshToken } : {}) });
	}

	#admits(token: string): boolean {
		const uses = this.#uses.get(token);
		if (uses === undefined || uses >= (this.options.requestsPerToken ?? Number.POSITIVE_INFINITY)) return false;
		this.#uses.set(token, uses + 1);
		return true;
	}
}
