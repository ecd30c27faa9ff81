const box = document.getElementById("filter");
const fold = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[_-]/g, " ");
box.hidden = false;
box.querySelector("input").addEventListener("input", (event) => {
  const query = fold(event.target.value.replace(/^#/, "")).trim();
  for (const item of document.querySelectorAll(".tags li")) {
    item.hidden = !fold(item.firstElementChild.textContent).includes(query);
  }
});
