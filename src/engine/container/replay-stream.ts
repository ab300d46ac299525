import { Duplex, type Readable } from "node:stream";

/** A session that begins with `past` and goes on with `live`; what the client writes goes to `live` from the start. */
export function replayThen(past: Readable, live: Duplex): Duplex {
	let source: Readable = past;
	const stream = new Duplex({
		read: () => source.resume(),
		write: (chunk, _encoding, done) => {
			if (live.destroyed || live.write(chunk)) done();
			else live.once("drain", done);
		},
		final: (done) => {
			live.end();
			done();
		},
		destroy: (error, done) => {
			past.destroy();
			live.destroy();
			done(error);
		},
	});
	const forward = (from: Readable, onEnd: () => void) => {
		from.on("data", (chunk: Buffer) => {
			if (!stream.push(chunk)) from.pause();
		});
		from.on("end", onEnd);
	};
	for (const part of [past, live]) part.on("error", (error) => stream.destroy(error));
	forward(past, () => {
		source = live;
		forward(live, () => stream.push(null));
	});
	return stream;
}
