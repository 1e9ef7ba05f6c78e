import type { Row } from './engine.ts';

const WIDTH = 760;
const LABEL = 330;
const BAR = 16;

/** Horizontal bars on a logarithmic scale, as the tools are orders of magnitude apart. */
export function plot(rows: readonly Row[]): string {
  const seconds = rows.map((row) => row.median.seconds);
  const [low, high] = [Math.log10(Math.min(...seconds) / 2), Math.log10(Math.max(...seconds) * 1.5)];
  const x = (value: number) => ((Math.log10(value) - low) / (high - low)) * (WIDTH - LABEL - 70);
  let y = 10;
  let group = '';
  const parts: string[] = [];
  for (const { workload, phase, tool, median } of rows) {
    const heading = `${workload}, ${phase}`;
    if (heading !== group) {
      y += 14;
      parts.push(`<text x="8" y="${y + 12}" font-weight="bold">${escapeXml(heading)}</text>`);
      y += BAR + 4;
      group = heading;
    }
    const width = Math.max(1, x(median.seconds));
    const color = tool === 'native' ? '#2563eb' : '#9ca3af';
    parts.push(
      `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escapeXml(tool)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR - 2}" fill="${color}"/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 12}">${median.seconds.toFixed(2)} s</text>`,
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
