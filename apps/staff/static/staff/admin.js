// What the theme's templates name, for Alpine's build for strict policies: it knows nothing of the page's globals.
"use strict";

document.addEventListener("alpine:init", () => {
  const OPEN = "sidebarDesktopOpen";

  Alpine.data("theme", (chosen) => theme(chosen || "auto"));

  Alpine.data("page", (tab) => ({
    activeTab: "",
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem(OPEN) !== "0",
    init() {
      this.activeTab = tab ? getCurrentTab() || tab : "";
      this.$watch(OPEN, (open) => localStorage.setItem(OPEN, open ? "1" : "0"));
    },
  }));

  Alpine.data("searchForm", searchForm);

  Alpine.data("searchDropdown", () => ({
    ...searchDropdown(),
    get items() {
      return document.querySelectorAll("#search-results li");
    },
    leave() {
      this.openSearchResults = false;
      const input = this.$refs.searchInput;
      if (input.value === "") {
        input.blur();
      } else {
        input.value = "";
      }
    },
  }));

  Alpine.data("searchCommand", () => ({
    ...searchCommand(),
    selectHere(event, addHistory, openInNewTab) {
      if (!event.metaKey && !event.ctrlKey) {
        this.selectItem(addHistory, openInNewTab);
      }
    },
  }));
});
