"""The properties, by what they are about: each folder is an area of the contract, or a family of areas."""

#: The folders in the order in which a run asks them, and in which reports and pages list their areas.
FAMILIES = (
    "smoke",
    "registration",
    "traversal",
    "naming",
    "printing",
    "containers",
    "modes",
    "calls",
    "hooks",
    "state",
    "copies",
    "files",
    "devices",
    "functional",
    "parametrizations",
    "lazy",
    "lives",
)
