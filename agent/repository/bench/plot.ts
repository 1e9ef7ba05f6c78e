export interface Row {
  workload: string;
  phase: string;
  tool: string;
  seconds: number;
  /** MiB. */
  written: number;
  memory: number;
}

const WIDTH = 760;
const LABEL = 330;
const BAR = 16;

/** Horizontal bars on a logarithmic scale, as the tools are orders of magnitude apart. */
export function plot(rows: readonly Row[]): string {
  const all = rows.map((row) => row.seconds);
  const [low, high] = [Math.log10(Math.min(...all) / 2), Math.log10(Math.max(...all) * 1.5)];
  const x = (value: number) => ((Math.log10(value) - low) / (high - low)) * (WIDTH - LABEL - 70);
  let y = 10;
  let group = '';
  const parts: string[] = [];
  for (const { workload, phase, tool, seconds } of rows) {
    const heading = `${workload}, ${phase}`;
    if (heading !== group) {
      y += 14;
      parts.push(`<text x="8" y="${y + 12}" font-weight="bold">${escapeXml(heading)}</text>`);
      y += BAR + 4;
      group = heading;
    }
    const width = Math.max(1, x(seconds));
    const color = tool.startsWith('native') ? '#2563eb' : '#9ca3af';
    parts.push(
      `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escapeXml(tool)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${color}"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 12}">${seconds.toFixed(seconds < 1 ? 3 : 2)} s</text>`,
    );
    y += BAR + 2;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 10}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
