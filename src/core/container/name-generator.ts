/** Names for containers nobody named: an adjective and a noun of plants, rocks and weather. */
const ADJECTIVES = (
	"amber ample ashen azure balmy bold brave breezy bright brisk calm candid chilly civil clear clever coastal cobalt cosy crisp " +
	"curious dapper daring deft dewy distant dusky eager early earnest even fabled fair faithful feathered festive fleet fond frosty " +
	"gallant gentle gilded glad golden graceful grand hardy hazy hidden honest humble idle inland ivory jolly jovial keen kind " +
	"leafy level light lively lofty loyal lucid lunar mellow merry mighty mild misty modest mossy nimble noble northern olive " +
	"open patient peaceful placid polar polite proud quick quiet radiant rapid ready restful robust rosy royal rugged russet " +
	"rustic sandy serene shady sharp shining silent silver sleek snowy solar solid southern spry stately steady stellar still " +
	"stout sunny supple swift tender tidal tidy tranquil true upbeat vast velvet vivid warm western wild windy wintry wise witty"
).split(" ");

const NOUNS = (
	"acorn agate alder almond aspen aster aurora badger basalt bay beech beryl birch bloom bluff boulder bramble breeze brook " +
	"canyon cedar cherry chestnut cliff clover cloud comet coral cove crane creek crest cypress dawn delta dune dusk ember falcon " +
	"fern fir fjord flint flurry fog forest frost gale garnet geyser ginger glacier glade gorge granite grove gull harbour harvest " +
	"hawthorn hazel heath heather hedge heron hill hollow holly ibis inlet iris island ivy jasmine jasper juniper kelp kestrel lagoon " +
	"lake larch laurel lava lichen lilac linden lotus lupin lynx magnolia mallow maple marble marsh meadow mesa meteor mint moor moss " +
	"mountain myrtle nectar nettle oak oasis obsidian onyx opal orchard orchid osprey otter pebble peony pine plain plateau plover pond " +
	"poplar poppy prairie quarry quartz rain rapids raven reef ridge river robin rowan sage sandbar savanna sequoia shale shore sky slate " +
	"snow sorrel spring spruce squall starling stream summit swallow tarn thicket thistle thyme tide topaz tundra valley verbena violet " +
	"walnut willow wren yarrow yew zephyr zinnia"
).split(" ");

/** @param random a number in [0, 1); @param attempt from the second try on a digit is added, so that a free name is found */
export function generateName(random: () => number, attempt = 0): string {
	const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "plain";
	const suffix = attempt === 0 ? "" : String(Math.floor(random() * 10 ** attempt));
	return `${pick(ADJECTIVES)}_${pick(NOUNS)}${suffix}`;
}
