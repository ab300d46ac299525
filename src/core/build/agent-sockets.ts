import type { BuildConnection } from "./request.ts";

export interface AgentSocketOptions {
	readonly owner: { readonly uid: number; readonly gid: number };
	/** 0o7777 */
	readonly permissions: number;
	/** Called for each process that connects. */
	readonly connect: () => Promise<BuildConnection>;
}

/** Unix sockets in the builder's directories, behind which the client's ssh agent answers. */
export interface AgentSockets {
	/** The result ends the socket and all its connections. @throws SystemError */
	listen(path: string, options: AgentSocketOptions): Promise<AsyncDisposable>;
}
