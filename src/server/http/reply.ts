/**
 * What a route answers. Routes return a description and never touch the connection; `reply-writer.ts` puts it on the wire.
 */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { AttachSession } from "../../core/container/attach-session.ts";

export type ReplyHeaders = Readonly<Record<string, string>>;

export type Reply =
	| { readonly kind: "json"; readonly status: number; readonly value: unknown }
	| { readonly kind: "text"; readonly status: number; readonly text: string; readonly headers?: ReplyHeaders }
	| { readonly kind: "empty"; readonly status: number; readonly headers?: ReplyHeaders }
	| StreamReply
	| LinesReply
	/** Headers at once, the JSON body when it is known: clients wait for the headers before they act. */
	| { readonly kind: "deferred"; readonly result: Promise<unknown> }
	| HijackReply
	| { readonly kind: "websocket"; readonly session: AttachSession }
	| UpgradeReply;

export interface StreamReply {
	readonly kind: "stream";
	readonly contentType: string;
	readonly stream: Readable;
	readonly headers?: ReplyHeaders;
	/** Nobody else has the chunks: each is given back as soon as it is sent. */
	readonly isDisposable?: boolean;
}

/** A stream of JSON documents, one a line. */
export interface LinesReply {
	readonly kind: "lines";
	readonly items: AsyncIterable<unknown>;
	/** Without it the headers go out with the first item, so that an error before it is a plain HTTP error. */
	readonly headersAtOnce: boolean;
	/** An error after the headers is the stream's last line (`errorDetail`); without it the connection is cut. */
	readonly errorsInBand: boolean;
	readonly separator: "\n" | "\r\n";
}

/** The connection stops being HTTP: bytes both ways until either side ends. */
export interface HijackReply {
	readonly kind: "hijack";
	/** What it fails with is written to the client as output: the head is out by then. */
	readonly session: Promise<AttachSession>;
	readonly contentType: string;
	/** The framing the client expects, whatever the session's own is; absent: the session's own. */
	readonly framing?: "raw" | "multiplexed";
	/** Keys that end a terminal's session when typed. */
	readonly detachKeys: readonly number[];
}

/** The connection goes on in another protocol, and belongs to whoever speaks it. */
export interface UpgradeReply {
	readonly kind: "upgrade";
	readonly protocol: string;
	/** Called once, when the head is out. */
	take(socket: Socket): void;
}

export function json(value: unknown, status = 200): Reply {
	return { kind: "json", status, value };
}

export function empty(status: number, headers?: ReplyHeaders): Reply {
	return headers === undefined ? { kind: "empty", status } : { kind: "empty", status, headers };
}
