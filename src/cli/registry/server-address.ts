/** The name under which logins at the default registry are kept. */
export const DEFAULT_SERVER = "https://index.docker.io/v1/";

/** The server's name as logins are kept by: a host, without scheme and path. */
export function serverKey(server: string): string {
	if (server === "" || server === DEFAULT_SERVER || server === "docker.io") return DEFAULT_SERVER;
	return server.replace(/^https?:\/\//, "").split("/", 1)[0] ?? server;
}

/** The server of a repository: its first part, if that looks like a host. */
export function serverOf(repository: string): string {
	const slash = repository.indexOf("/");
	const first = slash < 0 ? "" : repository.slice(0, slash);
	const isHost = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
	return isHost && first !== "docker.io" && first !== "index.docker.io" ? first : DEFAULT_SERVER;
}
