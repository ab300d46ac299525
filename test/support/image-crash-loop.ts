/** Imports, loads, saves, tags and removes images for ever in the directory it is given, until somebody kills it. */
import { join } from "node:path";
import { openDatabase } from "../../src/drivers/store-sqlite/database.ts";
import { SqliteImageStore } from "../../src/drivers/store-sqlite/image-store.ts";
import { ImageBench } from "./image-bench.ts";
import { tarOf } from "./tar-builder.ts";

const [root = ""] = process.argv.slice(2);
const bench = new ImageBench(new SqliteImageStore(openDatabase(join(root, "images.db"))), root);
const NOTHING = { force: true, noPrune: false };

for (let round = 0; ; round++) {
	const tar = tarOf(
		{ name: "shared", content: "s".repeat(200_000) },
		{ name: "own", content: `round ${round % 5}` },
		{ name: "own", content: "again" },
	);
	const name = `image${round % 3}`;
	await bench.import(tar, name);
	// A line is an image that must be there after a crash, unless a later line takes it away.
	process.stdout.write(`+${name}\n`);
	const archive = await bench.save(name);
	process.stdout.write(`-${name}\n`);
	await bench.service.remove(name, NOTHING);
	await bench.load(archive);
	process.stdout.write(`+${name}\n`);
	await bench.service.tag(name, "alias", "");
	await bench.service.prune(new Map());
}
