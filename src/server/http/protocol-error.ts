export type ProtocolFault = "bad-request" | "headers-too-large" | "unsupported-encoding";

/** Bytes that are not HTTP as this server speaks it. The connection cannot go on afterwards. */
export class ProtocolError extends Error {
	constructor(
		readonly fault: ProtocolFault,
		message: string,
	) {
		super(message);
		this.name = "ProtocolError";
	}
}
