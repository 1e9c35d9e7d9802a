// Tells how many notes there are, by the API.
const { notes } = await (await fetch("/api/notes/")).json();
document.getElementById("count").textContent = `(${notes.length})`;
