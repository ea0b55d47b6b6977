// Check of the style guide: words and names that must not be used (CONTRIBUTING.md, "Style guide").
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, root } from './run.mjs';

/** Patterns, each with the words to use instead. */
const WORDS = [
  [/picture/i, 'image'],
  [/\bthe way (back|forward)\b/i, 'backward pass, forward pass'],
  [/\bbegun\b/i, 'started'],
  [/\b(gone|go|goes|going) on (with|with what|where|from|at|after|all)\b/i, 'resume, continue'],
  [/\b(is|are|was|were|be|been) told\b/i, 'reported, passed'],
  [/\bjudg(e|es|ed|ing|ement)\b/i, 'evaluate'],
  [/\bonce an? (image|tile|cell|batch)\b/i, 'once per image'],
  [
    /\b(one|lines?|rows?|threads?|lists?|a name|segmenter|labels?|file) an? (image|row|class|level|device|type|cell|process|environment|tile|network|mask)\b/i,
    'one per image',
  ],
  [/\bgo(es)? before (them|it)\b/i, 'override'],
  [/\bcounts? for (the|one|all|more|nobody|both)\b/i, 'apply to'],
  [/\bnobody (says|asks|knows|told)\b/i, 'unknown, not given'],
  [/\b(at the door|unheard|in vain|all the same)\b/i, 'a literal phrase'],
  [/\bfor who \w+s all\b|\bwhat a call says\b/i, 'a plain sentence'],
  [
    /\b(Unfilled|MaskRcnnParts|MaskRcnnFrame|Mailbox|submit_beside|submit_change|Untouched|in_time|FinishedRows|that_need|are_large|type_of_maps|send_ahead|settle_cells)\b/,
    'the name in the rename table of issue 23',
  ],
  [
    /\b(Findings|Judgement|Recipe|OwnPicture|OwnImage|Capped|EvaluatedPicture|openSide|strangers|CutMasks|climb)\b/,
    'the name in the rename table of issue 23',
  ],
  [/[a-z]_at_once\b/, 'a name with _padded'],
  [
    /\b(NativeJudgedImage|read_judged|steppedOver|SeenGpus|look_at_gpus|lookAtGpus|pointedAt|speaksFor|speaksAgainst)\b/,
    'NativeEvaluatedImage, read_evaluated_image, skippedCalls, GpuReport, query_gpus, queryGpus, isSelected, supporting, opposing',
  ],
  [
    /(?<!there )\b(is|are) no (an? )?(array|list|number|string|object|whole number|typed array|JSON|UTF-8|data set)\b/i,
    'is not a',
  ],
  [/\b(gives?|gave|given) back\b/i, 'return, release'],
  [/\bas (it|they) comes?\b/i, 'unchanged, in the order of arrival'],
  [/\bwhat \w+ (said|says|saw|knows|knew)\b/i, 'the message, the report'],
  [/\b(left|leaves?|leaving) out\b/i, 'omitted, skipped, excluded, ignored'],
  [/\b(MOST|LEAST)_[A-Z]/, 'a name with MAX_ or MIN_'],
  [/--truth\b|\btruth(Of|Labels|Boxes|Areas)\b/, 'ground truth in full: --ground-truth, groundTruth…'],
  [/\b(said in|without a word|whole again)\b/i, 'given in, silently, restored'],
  [/(?<!ground[-_ ])\btruths?\b(?!\.csv)/i, 'ground truth'],
  [/\bk(Most|Least|Fewest)[A-Z]|\b(most|least|fewest)[A-Z]/, 'a name with Max or Min'],
  [
    /\b(falling|rising) (score|order|label|value|index|indices)\b|\bby (falling|rising)\b/i,
    'descending, ascending, increasing',
  ],
  [/\b(after|of|at|for|with|by|about|at most) so many\b/i, 'this number of'],
  [/\basked for\b/i, 'requested, selected'],
  [/\bfalse alarms?\b|\bfalseAlarms?\b|\bfalse_alarms?\b/i, 'false positive, false detection'],
  [/\b(stays?|stayed|are|is) as (it is|they are)\b/i, 'does not change'],
  [
    /\btells? (this|networks|images|types)\b|\bwhatever becomes\b|\bwhat became of\b/i,
    'identifies, distinguishes, outcome',
  ],
  [
    /(?<!there )\b(is|are) no (slide|folder|argument|polygon|attempt|label image|BigTIFF|class|conflict)s?\b/i,
    'is not a',
  ],
  [/\b(is|was|be|are) given up\b/i, 'is not retried'],
];

/** Files that are not our text, and lines that are allowed, each with the reason. */
const { files, lines } = JSON.parse(readFileSync(join(root, 'scripts/words-allowed.json'), 'utf8'));

const TEXT =
  /\.(ts|mts|mjs|cjs|js|json|md|yml|yaml|gyp|cc|h|c|cu|cuh|py|sh|cmake|html|css)$|(^|\/)(CMakeLists\.txt|\.ci\/run|\.clang-tidy)$/;

/** Lines with a forbidden word, as "path:line: word; write …". */
export function oldWords() {
  const paths = must('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    capture: true,
  })
    .split('\0')
    .filter((path) => TEXT.test(path) && !files.some(({ path: allowed }) => path.startsWith(allowed)));
  return paths.flatMap((path) => {
    let text;
    try {
      text = readFileSync(join(root, path), 'utf8');
    } catch {
      return []; // deleted, but still in the index
    }
    return text.split('\n').flatMap((line, i) => {
      if (lines.some((allowed) => path.startsWith(allowed.path) && line.includes(allowed.text))) return [];
      return WORDS.flatMap(([pattern, better]) => {
        const found = pattern.exec(line);
        return found ? [`${path}:${i + 1}: "${found[0]}"; write ${better}`] : [];
      });
    });
  });
}
