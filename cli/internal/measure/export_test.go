package measure

// PercentilesOf lets tests check the arithmetic alone.
var PercentilesOf = percentilesOf
