// Rows of text as a table, for a terminal or as Markdown. Pure.

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  markdown: boolean,
): string {
  const escaped = markdown ? rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|"))) : rows;
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, 3, ...escaped.map((row) => (row[index] ?? "").length))
  );
  const line = (cells: readonly string[]): string => {
    const padded = columns.map(({ align }, index) => {
      const cell = cells[index] ?? "";
      return align === "right" ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
    });
    return markdown ? `| ${padded.join(" | ")} |` : padded.join("  ").trimEnd();
  };
  const rule = columns.map(({ align }, index) => {
    const dashes = "-".repeat(widths[index]!);
    return markdown && align === "right" ? dashes.slice(1) + ":" : dashes;
  });
  return [line(columns.map(({ title }) => title)), line(rule), ...escaped.map(line)].join("\n") + "\n";
}

/** What stands above a table. */
export function heading(title: string, markdown: boolean): string {
  return markdown ? `\n### ${title}\n\n` : `\n${title}\n`;
}
